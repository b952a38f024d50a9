/** `ldm completion`: a script for the shell, made of the commands as they are. */
import { Argument, type Command } from 'commander';
import { type CommandDefinition, outputOf } from '../command';
import { bashCompletion } from '../completion/bash';
import { fishCompletion } from '../completion/fish';
import { wordsOf } from '../completion/words';
import { zshCompletion } from '../completion/zsh';
import { addExamples } from '../examples';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export const completion: CommandDefinition = {
  configure(command: Command) {
    command.addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SHELLS)));
    addExamples(command, [
      ['source <(ldm completion bash)', 'in this shell; in ~/.bashrc for every one'],
      ['source <(ldm completion zsh)', 'the same for zsh, behind compinit in ~/.zshrc'],
      ['ldm completion fish > ~/.config/fish/completions/ldm.fish', 'for fish'],
    ]);
    command.action(async (shell: keyof typeof SHELLS) => {
      // Late: the program's file imports the table of commands, which leads here.
      const { createFullProgram } = await import('../program');
      const script = SHELLS[shell](wordsOf(await createFullProgram()));
      outputOf(command).result({ shell, script }, () => script.trimEnd());
    });
  },
};
