/** What a shell may complete, taken from the commands themselves. */
import type { Argument, Command, Option } from 'commander';

export interface OptionWords {
  /** Such as ['--out', '-o']. */
  flags: string[];
  description: string;
  /** Whether a value follows. */
  takesValue: boolean;
  /** The values that there are; empty where any is possible. */
  choices: readonly string[];
}

export interface CommandWords {
  name: string;
  description: string;
  options: OptionWords[];
  /** Values of the arguments that have a choice. */
  choices: readonly string[];
}

/** The words of every command of a program whose commands are loaded. */
export function wordsOf(program: Command): CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options.filter((option) => !option.hidden).map(optionWords), HELP],
    choices: command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []),
  }));
}

const HELP: OptionWords = { flags: ['--help', '-h'], description: 'print the help', takesValue: false, choices: [] };

function optionWords(option: Option): OptionWords {
  // '--max-steps, --max_steps <n>' has two long flags.
  const flags = option.flags.split(/[ ,|]+/).filter((part) => part.startsWith('-'));
  return {
    flags: flags.sort((a, b) => b.length - a.length),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}
