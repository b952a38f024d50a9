/** `ldm schema`: the JSON schema of the configs, for editors. */
import type { Command } from 'commander';
import { configJsonSchema } from '../../config';
import { writeFileAtomic } from '../../pictures/picture';
import { type CommandDefinition, outputOf } from '../command';
import { addExamples } from '../examples';

export const schema: CommandDefinition = {
  configure(command: Command) {
    command.option('-o, --out <file>', 'write it to a file (default: print it)');
    addExamples(command, [
      [
        'ldm schema --out ldm.schema.json',
        'write the file that `# yaml-language-server: $schema=./ldm.schema.json` names',
      ],
      ['ldm schema | jq ".definitions | keys"', 'list what it knows'],
    ]);
    command.action((flags: { out?: string }) => {
      const output = outputOf(command);
      const text = JSON.stringify(configJsonSchema(), null, 1);
      if (flags.out === undefined) {
        output.stdout.write(`${text}\n`);
        return;
      }
      writeFileAtomic(flags.out, `${text}\n`);
      output.note('Name it in the first line of a config: # yaml-language-server: $schema=PATH');
      output.result({ file: flags.out }, () => flags.out!);
    });
  },
};
