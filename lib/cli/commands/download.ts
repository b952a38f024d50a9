/** `ldm download`: gets weights that training needs into the cache folder. */
import { Argument, type Command, Option } from 'commander';
import { downloadLpips } from '../../lpips-download';
import { type CommandDefinition, outputOf } from '../command';
import { interruptible } from '../interrupt';
import { Transfers } from '../transfers';

export const download: CommandDefinition = {
  configure(command: Command) {
    command
      .addArgument(new Argument('<what>', 'lpips: the two files of the perceptual loss').choices(['lpips']))
      .addOption(new Option('--mirror <url>', 'a URL below which the files lie, in place of the official places'))
      .action(async (_what: string, options: { mirror?: string }) => {
        const output = outputOf(command);
        const transfers = new Transfers(output);
        try {
          const files = await interruptible((signal) =>
            downloadLpips({
              mirror: options.mirror,
              signal,
              onProgress: (file, received, total) => transfers.update(file.name, received, total, 'bytes'),
            }),
          );
          transfers.end();
          output.result(files, () => files.map(({ path }) => path).join('\n'));
        } finally {
          transfers.end();
        }
      });
  },
};
