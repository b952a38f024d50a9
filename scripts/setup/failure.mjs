// A failure of set-up that a person can act on.

export class SetupFailure extends Error {
  constructor({ found, required, remedy }) {
    super(`  found:    ${found}\n  required: ${required}\n  remedy:   ${remedy}`);
    this.name = 'SetupFailure';
  }
}
