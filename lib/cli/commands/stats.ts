/** `ldm stats`: mean, standard deviation and scale factor of a first stage's latents, kept beside its checkpoint. */
import { type Command, Option } from 'commander';
import { type LatentStatistics, measureLatents, writeLatentStatistics } from '../../evaluation';
import { latentPanels } from '../../evaluation/latent-histogram';
import { chartFile, writeChart } from '../chart-file';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addFirstStageOptions, type FirstStageFlags, withFirstStage } from '../first-stage-options';
import { interruptible } from '../interrupt';
import { Progress } from '../progress';
import { integerFrom } from '../values';

interface StatsFlags extends FirstStageFlags {
  split: 'train' | 'validation' | 'test';
  limit?: number;
  size?: number;
  batch: number;
  seed: number;
  save: boolean;
  histogram?: string;
}

export const stats: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<model>', 'log folder, config or checkpoint of an autoencoder')
      .argument('[images]', "folder of images (default: the config's training data)")
      .addOption(
        new Option('--split <name>', "which part of the config's data")
          .choices(['train', 'validation', 'test'])
          .default('train'),
      )
      .option('-n, --limit <n>', 'images to measure at most (default: all)', integerFrom(1))
      .option(
        '--size <n>',
        "side of a folder's images: shorter side, then the middle (default: the model's)",
        integerFrom(8),
      )
      .option('--batch <n>', 'images at a time', integerFrom(1), 8)
      .option('--seed <n>', "seed of the posterior's noise and of the choice of images", integerFrom(0), 23)
      .option('--no-save', 'only print')
      .option('--histogram <file>', 'draw the distribution into a .png or .svg file', chartFile);
    addFirstStageOptions(command);
    addExamples(command, [
      ['ldm stats logs/2026-01-31T12-00-00_kl', 'measure on the training data and keep the scale factor'],
      [
        'ldm stats models/first_stage_models/kl-f8 photos/ -n 5000 --histogram latents.png',
        'on a folder, with a chart',
      ],
    ]);
    command.action(async (model: string, images: string | undefined, flags: StatsFlags, self: Command) => {
      if (images !== undefined && self.getOptionValueSource('split') === 'cli')
        throw new UsageError('Give a folder of images, or a part of the config with --split, not both.');
      const output = outputOf(command);
      await interruptible(async (signal) => {
        const progress = new Progress(output, { label: 'encoding', unit: 'images' });
        const { batch: batchSize, split, ...rest } = flags;
        const { statistics, checkpoint } = await withFirstStage(model, flags, async (loaded) => ({
          statistics: await measureLatents(loaded, {
            ...rest,
            batchSize,
            images: images ?? { split },
            signal,
            onProgress: (done, total) => progress.update(done, {}, total),
          }),
          checkpoint: loaded.checkpoint,
        }));
        progress.end();
        const file = flags.save ? writeLatentStatistics(checkpoint, statistics) : null;
        if (flags.histogram !== undefined) writeChart(flags.histogram, latentPanels(statistics));
        if (file) output.note('Training a diffusion model on this checkpoint takes its scale_factor from there.');
        output.result({ ...statistics, checkpoint, file, histogram_file: flags.histogram ?? null }, () =>
          describe(statistics, file),
        );
      });
    });
  },
};

function describe(found: LatentStatistics, file: string | null): string {
  const number = (value: number) => value.toPrecision(6);
  const lines = [
    `images        ${found.images} of ${found.size} x ${found.size} pixels (${found.data})`,
    `latent        ${found.shape.join(' x ')}`,
    `mean          ${number(found.mean)}`,
    `std           ${number(found.std)}`,
    `scale_factor  ${number(found.scale_factor)}`,
    `range         ${number(found.min)} to ${number(found.max)}`,
    ...found.channel_mean.map(
      (mean, c) => `channel ${String(c).padEnd(6)}${number(mean)} ± ${number(found.channel_std[c])}`,
    ),
  ];
  if (file) lines.push(`kept in       ${file}`);
  return lines.join('\n');
}
