/** `ldm download`: gets weights that are not part of a model's checkpoint into the cache folder. */
import { Argument, type Command, Option } from 'commander';
import { type ClipVersion, clipVersions, downloadClip } from '../../clip-weights';
import { downloadInception } from '../../inception-weights';
import { downloadLpips } from '../../lpips-download';
import type { DownloadedWeights, WeightDownloadOptions } from '../../weight-download';
import { type CommandDefinition, outputOf } from '../command';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { Transfers } from '../transfers';

interface DownloadFlags {
  mirror?: string;
  clip_type: ClipVersion;
}

const DOWNLOADS: Record<
  string,
  (flags: DownloadFlags, options: WeightDownloadOptions) => Promise<DownloadedWeights[]>
> = {
  lpips: (_flags, options) => downloadLpips(options),
  inception: async (_flags, options) => [await downloadInception(options)],
  clip: async (flags, options) => [await downloadClip(flags.clip_type, options)],
};

export const download: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm download lpips', "the perceptual loss's VGG16 into the cache folder"],
      ['ldm download inception --mirror https://mirror.example/weights', "FID's network, from another place"],
    ]);
    command
      .addArgument(
        new Argument(
          '<what>',
          'lpips: the two files of the perceptual loss; inception: the network of FID; clip: the model of ldm knn2img and ldm index',
        ).choices(Object.keys(DOWNLOADS)),
      )
      .addOption(new Option('--clip_type <name>', 'which CLIP model').choices(clipVersions).default('ViT-L/14'))
      .addOption(new Option('--mirror <url>', 'a URL below which the files lie, in place of the official places'))
      .action(async (what: string, flags: DownloadFlags) => {
        const output = outputOf(command);
        const transfers = new Transfers(output);
        try {
          const files = await interruptible((signal) =>
            DOWNLOADS[what](flags, {
              mirror: flags.mirror,
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
