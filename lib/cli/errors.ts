/**
 * What a failed command tells, and its exit code: 0 done, 1 something went wrong, 2 wrong usage, 130 interrupted.
 */
import { CommanderError } from 'commander';
import { LdmError } from '../errors';
import type { Output } from './output';

export const EXIT = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** A combination of arguments that makes no sense: exit code 2. */
export class UsageError extends Error {}

/** Reports an error once, without a stack, and returns the exit code. */
export function reportError(error: unknown, output: Output): number {
  if (error instanceof CommanderError) {
    // Commander has printed its own message; help and version end here too.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof UsageError) {
    output.error(`${error.message}\nSee \`ldm --help\` or \`ldm COMMAND --help\`.`);
    return EXIT.usage;
  }
  // Both this library's error and the one of AbortSignal.throwIfAborted.
  if ((error as { name?: unknown } | null)?.name === 'AbortError') {
    output.error('Interrupted');
    return EXIT.interrupted;
  }
  const code = LdmError.is(error) ? error.code : undefined;
  output.error(error instanceof Error ? error.message : String(error), code);
  // An error of another class is a mistake of this program: then the stack helps whoever reports it.
  if (error instanceof Error && (process.env.LDM_DEBUG || !isExpected(error))) output.note(error.stack ?? '');
  return EXIT.failure;
}

/** Errors of this library and of the operating system say what is wrong by themselves. */
function isExpected(error: Error): boolean {
  return LdmError.is(error) || typeof (error as NodeJS.ErrnoException).errno === 'number';
}
