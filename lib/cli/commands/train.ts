/** `ldm train`: trains a model of a config; options are those of the reference's main.py, and some more. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { FitResult } from '../../training/trainer';
import { TrainingRun, type TrainingRunOptions } from '../../training/training-run';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT, UsageError } from '../errors';
import { TrainDisplay } from '../train-progress';
import { withTrainingSignals } from '../training-signals';
import { duration, integerFrom, pythonBoolean } from '../values';

interface TrainFlags {
  base?: string[];
  train?: boolean;
  resume?: string;
  name?: string;
  postfix?: string;
  logdir: string;
  seed: number;
  scale_lr: boolean;
  data?: string;
  device: string;
  maxSteps?: number;
  maxTime?: number;
  precision?: 'fp32' | 'bf16';
  vgg?: string;
  onNan: 'error' | 'skip';
  onBadFile: 'error' | 'skip';
}

export const train: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('[key=value...]', 'overrides of config values, such as model.params.embed_dim=4')
      .option('-b, --base <config...>', 'config files, merged from left to right')
      .option('-t, --train [bool]', 'train (without it the config is only checked)', pythonBoolean)
      .option('-r, --resume <path>', 'go on with a log folder or with a checkpoint in one')
      .option('-n, --name <name>', "name of the log folder (default: the first config's)")
      .option('-f, --postfix <text>', 'end of the name of the log folder')
      .option('-l, --logdir <dir>', 'parent of the log folder', 'logs')
      .option('-s, --seed <n>', 'seed of everything random', integerFrom(0), 23)
      .option('--scale_lr [bool]', 'learning rate = base rate x batch size x accumulated batches', pythonBoolean, true)
      .option('--data <dir>', 'folder of images (sub-folders are classes) in place of the data section')
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .option('--max-steps <n>', 'optimizer steps to train at most', integerFrom(1))
      .option('--max-time <time>', 'time to train at most, such as 90s, 10m or 2h', duration)
      .addOption(new Option('--precision <type>', 'number format of the computation').choices(['fp32', 'bf16']))
      .option('--vgg <file>', "torchvision's VGG16 weights for the perceptual loss (default: of ldm download lpips)")
      .addOption(
        new Option('--on-nan <action>', 'when a loss is not finite: stop, or leave the step out')
          .choices(['error', 'skip'])
          .default('error'),
      )
      .addOption(
        new Option('--on-bad-file <action>', 'when an image cannot be read: go on without it, or stop')
          .choices(['skip', 'error'])
          .default('skip'),
      )
      .addHelpText(
        'after',
        '\nExample:\n  ldm train -b models/configs/autoencoder/autoencoder_kl_32x32x4.yaml -t --data photos',
      )
      .action(async (words: string[], flags: TrainFlags) => {
        process.exitCode = await run(command, optionsOf(words, flags), flags.train ?? false);
      });
  },
};

/** `-b` takes all words behind it; those with '=' that are no files are overrides. */
function optionsOf(words: readonly string[], flags: TrainFlags): TrainingRunOptions {
  const isOverride = (word: string) => word.includes('=') && !fs.existsSync(word);
  const given = flags.base ?? [];
  const stray = words.find((word) => !isOverride(word));
  if (stray !== undefined) throw new UsageError(`Expected an override key=value but found '${stray}'.`);
  if (given.length === 0 && flags.resume === undefined)
    throw new UsageError('Give a config with -b FILE, or a log folder with -r DIR.');
  if (flags.name && flags.resume) throw new UsageError('-n/--name and -r/--resume exclude each other.');
  const { base: _, train: __, scale_lr, ...rest } = flags;
  return {
    ...rest,
    base: given.filter((word) => !isOverride(word)),
    overrides: [...given.filter(isOverride), ...words],
    scaleLr: scale_lr,
  };
}

async function run(command: Command, options: TrainingRunOptions, fit: boolean): Promise<number> {
  const output = outputOf(command);
  return withTrainingSignals(output, async (watch) => {
    let display: TrainDisplay | undefined;
    const tell = (text: string) => (display ? display.note(text) : output.note(text));
    using training = await TrainingRun.prepare({
      ...options,
      onInfo: tell,
      onSkip: (name, error, skipped) => output.warn(`${error.message} Skipped (${skipped} so far): ${name}`),
      onProgress: (progress) => display?.update(progress),
    });
    output.note(training.description);
    if (!fit) {
      output.note('The config is right. Add -t to train.');
      return EXIT.ok;
    }
    display = new TrainDisplay(output, { label: 'training', images: training.imagesPerStep });
    watch(training.trainer);
    let result: FitResult;
    try {
      result = await training.fit();
    } finally {
      display.end();
      watch(undefined);
    }
    const checkpoint = path.join(training.folder.checkpoints, 'last.ckpt');
    report(output, training, result, checkpoint);
    return result.reason === 'interrupted' ? EXIT.interrupted : EXIT.ok;
  });
}

function report(
  output: ReturnType<typeof outputOf>,
  training: TrainingRun,
  result: FitResult,
  checkpoint: string,
): void {
  const skipped = training.skippedImages;
  if (skipped.length > 0)
    output.note(`${skipped.length} image${skipped.length > 1 ? 's' : ''} could not be read: ${skipped.join(', ')}`);
  if (result.reason === 'interrupted') output.note(`Go on with: ldm train -t --resume ${training.folder.root}`);
  output.result(
    {
      reason: result.reason,
      logdir: training.folder.root,
      checkpoint,
      global_step: result.globalStep,
      epoch: result.epoch,
      metrics: result.metrics,
      skipped_images: skipped,
      skipped_steps: result.skippedSteps,
    },
    () => `${result.globalStep} steps; checkpoint: ${checkpoint}`,
  );
}
