/** `ldm sample`: draws pictures with a trained diffusion model. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { DDPM } from '../../models/ddpm';
import { type LoadedModel, loadModel } from '../../models/load-model';
import { type GridRow, labelledGrid } from '../../pictures/labelled-grid';
import { encodePng, type Pictures, slicePictures, toBytes, writeFileAtomic } from '../../pictures/picture';
import { classCountOf, sampleImages } from '../../sampling/sample-images';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { interruptible } from '../interrupt';
import { Progress } from '../progress';
import { integerFrom, numberWithin } from '../values';

interface SampleFlags {
  ckpt?: string;
  number: number;
  class?: string[];
  steps: number;
  eta: number;
  scale: number;
  uncondClass?: number;
  seed: number;
  vanilla?: boolean;
  ema?: boolean;
  out: string;
  batchSize: number;
  device: string;
  precision: 'fp32' | 'bf16';
}

/** Pictures in a row of the grid. */
const ROW = 8;

export const sample: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<model>', 'log folder of a training, or a config file')
      .argument('[key=value...]', 'overrides of config values')
      .option('--ckpt <file>', 'checkpoint (default: checkpoints/last.ckpt, or model.ckpt beside the config)')
      .option('-n, --number <n>', 'pictures of each class', integerFrom(1), 8)
      .option('--class <class...>', 'classes by name or label (default: all when the model has names for them)')
      .option('--steps <n>', 'DDIM steps', integerFrom(1), 50)
      .option('--eta <x>', 'noise of DDIM, 0 to 1', numberWithin(0, 1), 0)
      .option('--scale <x>', 'classifier-free guidance, 1 is none', numberWithin(0), 1)
      .option(
        '--uncond-class <n>',
        'label that stands for any class (default: the last where it is to spare)',
        integerFrom(0),
      )
      .option('--seed <n>', 'seed', integerFrom(0), 23)
      .option('--vanilla', "ancestral sampling with all of the model's timesteps")
      .option('--ema', 'use the averaged weights (default: where the checkpoint has them)')
      .option('--no-ema', 'use the weights of the last step')
      .option('--out <dir>', 'folder for the pictures', 'out/samples')
      .option('--batch-size <n>', 'pictures at a time', integerFrom(1), 16)
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .addOption(new Option('--precision <type>', 'number format').choices(['fp32', 'bf16']).default('fp32'))
      .action(async (source: string, overrides: string[], flags: SampleFlags) => {
        const output = outputOf(command);
        await interruptible(async (signal) => {
          const loaded = await loadModel(source, { checkpoint: flags.ckpt, overrides, device: flags.device });
          try {
            const files = await draw(loaded, flags, signal, output);
            output.result(files, () => [...files.images, files.grid].join('\n'));
          } finally {
            loaded.model.dispose();
          }
        });
      });
  },
};

async function draw(
  loaded: LoadedModel,
  flags: SampleFlags,
  signal: AbortSignal,
  output: ReturnType<typeof outputOf>,
): Promise<{ images: string[]; grid: string; settings: object }> {
  const { model } = loaded;
  if (!(model instanceof DDPM))
    throw new UsageError(
      'This is an autoencoder: it cannot draw by itself. See `ldm reconstruct`, or give a diffusion model.',
    );
  const classes = wantedClasses(flags.class, loaded.classNames, classCountOf(model));
  const settings = {
    checkpoint: loaded.checkpoint,
    global_step: loaded.globalStep,
    sampler: flags.vanilla ? 'ddpm' : 'ddim',
    ...(flags.vanilla ? {} : { steps: flags.steps, eta: flags.eta }),
    scale: flags.scale,
    seed: flags.seed,
    ema: flags.ema ?? loaded.hasEma,
  };
  const unconditionalLabel =
    flags.scale === 1 ? null : unconditionalClass(flags, loaded.classNames, classCountOf(model));
  const progress = new Progress(output, { label: 'sampling', total: 1 });
  const rows: GridRow[] = [];
  const images: string[] = [];
  let next = nextNumber(flags.out);
  for (const [i, { label, name }] of classes.entries()) {
    const pictures = await sampleImages(model, {
      count: flags.number,
      classLabel: label,
      steps: flags.vanilla ? null : flags.steps,
      eta: flags.eta,
      scale: flags.scale,
      unconditionalLabel,
      seed: flags.seed + i,
      batchSize: flags.batchSize,
      ema: settings.ema,
      precision: flags.precision,
      signal,
      onProgress: (done, total) =>
        progress.update(i * total + done, name ? { class: name } : {}, classes.length * total),
    });
    for (let k = 0; k < pictures.batch; k++) {
      const text = JSON.stringify({ ...settings, seed: flags.seed + i, index: k, ...(name ? { class: name } : {}) });
      const file = path.join(flags.out, `${String(next++).padStart(6, '0')}.png`);
      writeFileAtomic(file, await encodePng(toBytes(pictures, { index: k }), pictures, { settings: text }));
      images.push(file);
    }
    rows.push(...gridRows(pictures, name ?? ''));
  }
  progress.end();
  const grid = path.join(flags.out, 'grid.png');
  const subtitle = `${path.basename(loaded.checkpoint)}, step ${loaded.globalStep}, ${settings.sampler}${flags.vanilla ? '' : ` ${flags.steps} steps, eta ${flags.eta}`}, scale ${flags.scale}, seed ${flags.seed}`;
  const cell = Math.max(96, rows[0].pictures.width);
  const text = { settings: JSON.stringify(settings) };
  writeFileAtomic(grid, await labelledGrid(rows, { title: 'Samples', subtitle, cell, text }));
  return { images, grid, settings };
}

/** Classes that are asked for; without a wish all that have names; one null for an unconditional model. */
function wantedClasses(
  wanted: readonly string[] | undefined,
  names: readonly string[],
  count: number | null,
): { label: number | null; name: string | null }[] {
  if (count === null) {
    if (wanted) throw new UsageError('This model has no classes: leave --class out.');
    return [{ label: null, name: null }];
  }
  if (!wanted && names.length === 0)
    throw new UsageError(`This model has ${count} classes without names: choose some with --class 0 1 2.`);
  return (wanted ?? names).map((word) => {
    const label = names.includes(word) ? names.indexOf(word) : /^\d+$/.test(word) ? Number(word) : -1;
    if (label < 0 || label >= count)
      throw new UsageError(
        `Unknown class '${word}'. Known: ${names.length > 0 ? names.join(', ') : `0 to ${count - 1}`}.`,
      );
    return { label, name: names[label] ?? `class ${label}` };
  });
}

/** The label beyond those that have names, as in the reference's class-conditional ImageNet model. */
function unconditionalClass(flags: SampleFlags, names: readonly string[], count: number | null): number {
  if (flags.uncondClass !== undefined) return flags.uncondClass;
  if (count !== null && names.length < count) return count - 1;
  throw new UsageError(
    'This model was trained without a label for any class, so there is no guidance: leave --scale at 1.',
  );
}

/** Pictures are numbered on from those that are there. */
function nextNumber(folder: string): number {
  if (!fs.existsSync(folder)) return 0;
  const numbers = fs.readdirSync(folder).map((name) => Number(/^(\d{6})\.png$/.exec(name)?.[1] ?? -1));
  return Math.max(-1, ...numbers) + 1;
}

/** Rows of at most eight pictures; the first one has the label. */
function gridRows(pictures: Pictures, label: string): GridRow[] {
  const rows: GridRow[] = [];
  for (let at = 0; at < pictures.batch; at += ROW)
    rows.push({ label: at === 0 ? label : '', pictures: slicePictures(pictures, at, ROW) });
  return rows;
}
