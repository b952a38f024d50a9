/**
 * `ldm sample`: draws pictures with a trained unconditional or class-conditional diffusion model. With `-r` it does what the
 * original scripts/sample_diffusion.py does, under the same options and into the same folders.
 */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { type GridRow, labelledGrid } from '../../pictures/labelled-grid';
import { type Pictures, slicePictures, writeFileAtomic } from '../../pictures/picture';
import { classCountOf } from '../../sampling/pipelines';
import { chooseClasses, classNames, isImageNet } from '../class-names';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { addRunOptions, type OpenedModel, openModel, withWeights } from '../model-options';
import type { Output } from '../output';
import { nextNumber, savePicture } from '../picture-files';
import { Progress } from '../progress';
import { writeSampleFolder } from '../sample-folder';
import { expectDrawable, type SampleFlags, SampleRun, samplingOf } from '../sample-run';
import { integerFrom, numberWithin } from '../values';

/** Pictures in a row of the grid. */
const ROW = 8;
/** What the original notebook draws with ImageNet's model. */
const NOTEBOOK_CLASSES = ['25', '187', '448', '992'];

export const sample: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm sample logs/2026-01-31T12-00-00_flowers -n 16', '16 pictures and a grid in out/samples'],
      ['ldm sample logs/2026-01-31T12-00-00_flowers --class rose --scale 3 --seed 7', 'one class, with guidance'],
      ['ldm sample -r models/ldm/celeba256 -n 1000 -c 200 -e 0', 'as scripts/sample_diffusion.py'],
    ]);
    command
      .argument('[model]', 'log folder of a training, config file, or checkpoint beside its config')
      .argument('[key=value...]', 'overrides of config values')
      .option('--ckpt <file>', 'checkpoint (default: checkpoints/last.ckpt, or model.ckpt beside the config)')
      .option(
        '-r, --resume <path>',
        'as scripts/sample_diffusion.py: a folder with config.yaml and model.ckpt, or a checkpoint; pictures and a .npz go to samples/STEP/TIME in it',
      )
      .option('-n, --number <n>', 'pictures (of each class); default: 8, with -r 50000', integerFrom(1))
      .option('--class <class...>', 'classes by name or label (default: all when the training named them)')
      .option('-c, --steps <n>', 'DDIM or PLMS steps (default: 50, with classes 20)', integerFrom(1))
      .option('-e, --eta <x>', 'noise of DDIM, 0 to 1 (default: 1, with classes 0)', numberWithin(0, 1))
      .option(
        '--scale <x>',
        "classifier-free guidance, 1 is none (default: 1, for ImageNet's cin256-v2 3)",
        numberWithin(0),
      )
      .option(
        '--uncond-class <n>',
        'label that stands for any class (default: the last where it is to spare)',
        integerFrom(0),
      )
      .option('-v, --vanilla', "ancestral sampling with all of the model's timesteps")
      .option('--plms', 'sample with PLMS')
      .option('--out <dir>', 'folder for the pictures', 'out/samples')
      .option('-l, --logdir <dir>', 'with -r: parent of the folder for the pictures, in place of the resumed one')
      .option('--batch-size <n>', 'pictures at a time (default: 16, with -r 10)', integerFrom(1));
    // The original names.
    for (const [flags, parse] of ALIASES) {
      const option = new Option(flags).hideHelp();
      command.addOption(parse ? option.argParser(parse) : option);
    }
    addRunOptions(command, 23).action(
      async (model: string | undefined, words: string[], given: SampleFlags & Aliases) => {
        const flags = withAliases(given);
        const output = outputOf(command);
        const overrides = [...(flags.resume && model ? [model] : []), ...words];
        const source = flags.resume ?? model;
        if (source === undefined)
          throw new UsageError('Give a model: a log folder, a config file, or -r and a folder.');
        if (flags.plms && flags.vanilla) throw new UsageError('--plms and --vanilla exclude each other.');
        const stray = overrides.find((word) => !word.includes('='));
        if (stray !== undefined) throw new UsageError(`Expected an override key=value but found '${stray}'.`);
        await interruptible(async (signal) => {
          const opened = await openModel(source, flags, { overrides });
          try {
            expectDrawable(opened.model);
            await withWeights(opened, () =>
              flags.resume === undefined
                ? draw(opened, flags, signal, output)
                : writeSampleFolder(opened, { ...flags, resume: flags.resume }, signal, output),
            );
          } finally {
            opened.model.dispose();
          }
        });
      },
    );
  },
};

interface Aliases {
  n_samples?: number;
  custom_steps?: number;
  vanilla_sample?: boolean;
  batch_size?: number;
}

const ALIASES: [string, ((text: string) => number)?][] = [
  ['--n_samples <n>', integerFrom(1)],
  ['--custom_steps <n>', integerFrom(1)],
  ['--batch_size <n>', integerFrom(1)],
  ['--vanilla_sample'],
];

function withAliases(flags: SampleFlags & Aliases): SampleFlags {
  const { n_samples, custom_steps, vanilla_sample, batch_size, ...rest } = flags;
  return {
    ...rest,
    number: rest.number ?? n_samples,
    steps: rest.steps ?? custom_steps,
    vanilla: rest.vanilla ?? vanilla_sample,
    batchSize: rest.batchSize ?? batch_size,
  };
}

async function draw(opened: OpenedModel, flags: SampleFlags, signal: AbortSignal, output: Output): Promise<void> {
  const { model, checkpoint, globalStep, ema } = opened;
  const classes = wantedClasses(opened, flags.class);
  const sampling = samplingOf(model, flags, opened.classNames);
  const settings = {
    checkpoint,
    global_step: globalStep,
    ...sampling.settings,
    seed: flags.seed,
    ema,
  };
  const number = flags.number ?? 8;
  const batchSize = flags.batchSize ?? 16;
  const progress = new Progress(output, { label: 'sampling', total: 1 });
  const run = new SampleRun(opened, sampling, signal);
  const batches = classes.length * Math.ceil(number / batchSize);
  const rows: GridRow[] = [];
  const images: string[] = [];
  let next = nextNumber(flags.out, /^(\d{6})\.png$/, 'grid.png');
  let done = 0;
  for (const { label, name } of classes) {
    for (let at = 0; at < number; at += batchSize) {
      const n = Math.min(batchSize, number - at);
      const pictures = await run.draw(n, label, (step, total) =>
        progress.update(done * total + step, name ? { class: name } : {}, batches * total),
      );
      done++;
      for (let k = 0; k < n; k++) {
        const file = path.join(flags.out, `${String(next++).padStart(6, '0')}.png`);
        await savePicture(file, pictures, k, { ...settings, index: images.length, ...(name ? { class: name } : {}) });
        images.push(file);
      }
      rows.push(...gridRows(pictures, at === 0 ? (name ?? '') : ''));
    }
  }
  progress.end();
  const grid = path.join(flags.out, 'grid.png');
  const { sampler, steps, eta, scale } = sampling.settings;
  const how = sampler === 'ddpm' ? sampler : `${sampler} ${steps} steps, eta ${eta}`;
  const subtitle = `${path.basename(checkpoint)}, step ${globalStep}, ${how}, scale ${scale}, seed ${flags.seed}`;
  const cell = Math.max(96, rows[0].pictures.width);
  const text = { settings: JSON.stringify(settings) };
  writeFileAtomic(grid, await labelledGrid(rows, { title: 'Samples', subtitle, cell, text, range: [0, 1] }));
  output.result({ images, grid, settings }, () => [...images, grid].join('\n'));
}

/** Classes that are asked for; without a wish all that the training named; one null for an unconditional model. */
function wantedClasses(
  { model, classNames: trained }: OpenedModel,
  wanted: readonly string[] | undefined,
): { label: number | null; name: string | null }[] {
  const count = classCountOf(model);
  if (count === null) {
    if (wanted) throw new UsageError('This model has no classes: leave --class out.');
    return [{ label: null, name: null }];
  }
  const names = classNames(trained, count);
  if (wanted) return chooseClasses(wanted, names, count);
  if (trained.length > 0) return trained.map((name, label) => ({ label, name }));
  if (isImageNet(count)) return chooseClasses(NOTEBOOK_CLASSES, names, count);
  throw new UsageError(`This model has ${count} classes without names: choose some with --class 0 1 2.`);
}

/** Rows of at most eight pictures; the first one has the label. */
function gridRows(pictures: Pictures, label: string): GridRow[] {
  const rows: GridRow[] = [];
  for (let at = 0; at < pictures.batch; at += ROW)
    rows.push({ label: at === 0 ? label : '', pictures: slicePictures(pictures, at, ROW) });
  return rows;
}
