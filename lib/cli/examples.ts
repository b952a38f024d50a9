/** Examples at the end of a command's help. */
import type { Command } from 'commander';

/** A command line and what it does. */
export type Example = readonly [line: string, what: string];

/** Adds the section; the documentation shows it, too, so lines are what can be typed. */
export function addExamples(command: Command, examples: readonly Example[]): void {
  const lines = examples.map(([line, what]) => `  # ${what}\n  ${line}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
