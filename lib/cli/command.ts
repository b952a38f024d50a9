/** What a command's file exports, and how it gets its output. */
import type { Command } from 'commander';
import { Output } from './output';

/** One command: its file is loaded only when it is called. */
export interface CommandDefinition {
  /** Adds arguments, options and the action. `--json` and `--quiet` are there already. */
  configure(command: Command): void;
}

/** The output of a command, as its `--json` and `--quiet` say. */
export function outputOf(command: Command): Output {
  const { json, quiet } = command.opts<{ json?: boolean; quiet?: boolean }>();
  return new Output({ json, quiet });
}
