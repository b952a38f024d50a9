/** `ldm train`: trains a model of a config; options are those of the reference's main.py, and some more. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { Metrics } from '../../training/metrics';
import type { FirstMoment } from '../../training/optimizer';
import type { FitResult } from '../../training/trainer-options';
import { TrainingRun, type TrainingRunOptions } from '../../training/training-run';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT, UsageError } from '../errors';
import { addExamples } from '../examples';
import type { Output } from '../output';
import { TrainDisplay } from '../train-progress';
import { drawCurves, summaryLines, TrainClock, type TrainTotals } from '../train-summary';
import { addTrainerFlags, trainerOverrides } from '../trainer-flags';
import { withTrainingSignals } from '../training-signals';
import { integerFrom, pythonBoolean } from '../values';

interface TrainFlags {
  base?: string[];
  train?: boolean | string;
  test: boolean;
  resume?: string;
  name?: string;
  postfix?: string;
  logdir: string;
  seed: number;
  scale_lr: boolean;
  debug?: boolean;
  ema?: boolean;
  data?: string;
  device?: string;
  vgg?: string;
  onNan: 'error' | 'skip';
  exactLogs?: boolean;
  wholeSteps?: boolean;
  firstMoment: FirstMoment;
  reuseReconstructions?: boolean;
  onBadFile: 'error' | 'skip';
}

export const train: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      [
        'ldm train -b models/configs/autoencoder/autoencoder_kl_32x32x4.yaml -t --data photos',
        'an official config on a folder of images',
      ],
      [
        'ldm train -b my.yaml -t --gpus 0, --max_epochs 50 model.params.embed_dim=8',
        'on a GPU, with a value of the config replaced',
      ],
      ['ldm train -t -r logs/2026-01-31T12-00-00_my', 'go on'],
    ]);
    command
      .argument('[key=value...]', 'overrides of config values, such as model.params.embed_dim=4')
      .option('-b, --base <config...>', 'config files, merged from left to right')
      .option('-t, --train [bool]', 'train (without it the config is only checked)', trainOrOverride)
      .option('--no-test', 'no test after training (there is one when the config has test data)')
      .option('-r, --resume <path>', 'go on with a log folder or with a checkpoint')
      .option('-n, --name <name>', "name of the log folder (default: the first config's)")
      .option('-f, --postfix <text>', 'end of the name of the log folder')
      .option('-l, --logdir <dir>', 'parent of the log folder', 'logs')
      .option('-s, --seed <n>', 'seed of everything random', integerFrom(0), 23)
      .option(
        '-d, --debug [bool]',
        'move the log folder to debug_runs at the end, show stacks of errors',
        pythonBoolean,
      )
      .option('--scale_lr [bool]', 'learning rate = base rate x batch size x accumulated batches', pythonBoolean, true)
      .option('--ema', 'keep a moving average of the weights (default: as the config says)')
      .option('--no-ema', 'train without a moving average')
      .option('--data <dir>', 'folder of images (sub-folders are classes) in place of the data section')
      .option('--device <device>', 'cpu, cuda or cuda:N (default: what --gpus names, or cpu)')
      .option('--vgg <file>', "torchvision's VGG16 weights for the perceptual loss (default: of ldm download lpips)")
      .addOption(
        new Option('--on-nan <action>', 'when a loss or gradient is not finite: stop, or leave the step out')
          .choices(['error', 'skip'])
          .default('error'),
      )
      .addOption(
        new Option('--on-bad-file <action>', 'when an image cannot be read: go on without it, or stop')
          .choices(['skip', 'error'])
          .default('skip'),
      )
      .option('--exact-logs', 'log all of the discriminator before disc_start, where it has no effect (takes longer)')
      .option(
        '--reuse-reconstructions',
        'no second forward pass for the discriminator (faster, but not the training of the reference)',
      )
      .option(
        '--whole-steps',
        'all gradients before any weight changes, so that a step that fails leaves no trace (more memory)',
      )
      .addOption(
        new Option('--first-moment <format>', "format of Adam's first moments: bf16 takes half of their memory")
          .choices(['fp32', 'bf16'])
          .default('fp32'),
      )
      // main.py has it, and does not use it either.
      .addOption(new Option('-p, --project <name>').hideHelp());
    addTrainerFlags(command);
    command.action(async (words: string[], flags: TrainFlags) => {
      process.exitCode = await run(command, optionsOf(words, flags), flags);
    });
  },
};

/** An override behind a lone -t is no value of it. */
function trainOrOverride(text: string): boolean | string {
  return text.includes('=') ? text : pythonBoolean(text);
}

/** `-b` takes all words behind it; those with '=' that are no files are overrides. */
function optionsOf(words: readonly string[], flags: TrainFlags): TrainingRunOptions {
  const isOverride = (word: string) => word.includes('=') && !fs.existsSync(word);
  const given = flags.base ?? [];
  const stray = words.find((word) => !isOverride(word));
  if (stray !== undefined) throw new UsageError(`Expected an override key=value but found '${stray}'.`);
  if (given.length === 0 && flags.resume === undefined)
    throw new UsageError('Give a config with -b FILE, or a log folder with -r DIR.');
  if (flags.name && flags.resume)
    throw new UsageError(
      '-n/--name and -r/--resume exclude each other. To go on in a new log folder use --resume_from_checkpoint FILE.',
    );
  const { name, postfix, logdir, seed, debug, ema, data, device, vgg, onNan, onBadFile, resume } = flags;
  const { exactLogs, reuseReconstructions, wholeSteps, firstMoment } = flags;
  const behindTrain = typeof flags.train === 'string' ? [flags.train] : [];
  return {
    ...{ name, postfix, logdir, seed, debug, ema, data, device, vgg, onNan, onBadFile, resume },
    ...{ exactLogs, reuseReconstructions, wholeSteps, firstMoment },
    base: given.filter((word) => !isOverride(word)),
    overrides: [...given.filter(isOverride), ...behindTrain, ...words, ...trainerOverrides({ ...flags })],
    scaleLr: flags.scale_lr,
  };
}

async function run(command: Command, options: TrainingRunOptions, flags: TrainFlags): Promise<number> {
  const output = outputOf(command);
  const fit = flags.train !== undefined && flags.train !== false;
  try {
    return await withTrainingSignals(output, async (watch) => {
      let display: TrainDisplay | undefined;
      let clock = new TrainClock();
      const tell = (text: string) => (display ? display.note(text) : output.note(text));
      using training = await TrainingRun.prepare({
        ...options,
        onInfo: tell,
        onSkip: (name, error, skipped) => output.warn(`${error.message} Skipped (${skipped} so far): ${name}`),
        onProgress: (progress) => {
          clock.note(progress.step);
          display?.update(progress);
        },
      });
      output.note(training.description);
      const test = flags.test && training.hasTest;
      // As main.py: without -t there is still the test, which says something only of trained weights.
      if (!fit && !(test && options.resume !== undefined)) {
        output.note('The config is right. Add -t to train.');
        if (output.json)
          output.result({ reason: 'checked', logdir: null, learning_rate: training.learningRate }, () => '');
        return EXIT.ok;
      }
      watch(training.trainer);
      let result: FitResult | undefined;
      let metrics: Metrics | undefined;
      let totals: TrainTotals | undefined;
      try {
        if (fit) {
          clock = new TrainClock();
          display = new TrainDisplay(output, { label: 'training', images: training.imagesPerStep });
          result = await training.fit();
          totals = clock.totals(result, training.imagesPerStep);
          display.end();
          display = undefined;
        }
        if (test && result?.reason !== 'interrupted') metrics = await training.test();
      } finally {
        display?.end();
        watch(undefined);
        training.finish();
      }
      report(output, training, { result, totals, test: metrics });
      return result?.reason === 'interrupted' ? EXIT.interrupted : EXIT.ok;
    });
  } catch (error) {
    if (flags.debug && error instanceof Error) output.note(error.stack ?? '');
    throw error;
  }
}

function report(
  output: Output,
  training: TrainingRun,
  { result, totals, test }: { result?: FitResult; totals?: TrainTotals; test?: Metrics },
): void {
  const skipped = training.skippedImages;
  const { root } = training.folder;
  if (skipped.length > 0)
    output.note(`${skipped.length} image${skipped.length > 1 ? 's' : ''} could not be read: ${skipped.join(', ')}`);
  if (result?.reason === 'interrupted') output.note(`Go on with: ldm train -t --resume ${root}`);
  const file = path.join(training.folder.checkpoints, 'last.ckpt');
  const checkpoint = result && fs.existsSync(file) ? file : null;
  const curves = result ? drawCurves(root) : null;
  const lines = test ? Object.entries(test).map(([name, value]) => `${name} ${value.toPrecision(6)}`) : [];
  if (result && totals) lines.push(...summaryLines({ result, totals, metrics: result.metrics, checkpoint, curves }));
  output.result(
    {
      reason: result?.reason ?? 'test',
      logdir: root,
      checkpoint,
      curves,
      global_step: result?.globalStep ?? training.trainer.status.globalStep,
      epoch: result?.epoch ?? training.trainer.status.epoch,
      ...totals,
      metrics: { ...result?.metrics, ...test },
      skipped_images: skipped,
      skipped_steps: result?.skippedSteps ?? 0,
    },
    () => lines.join('\n'),
  );
}
