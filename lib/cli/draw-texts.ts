/** What `txt2img` and `img2img` share: texts in batches, pictures under the original scripts' names, a grid of all. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { LdmError } from '../errors';
import type { ZooModel } from '../models/model-zoo';
import type { Pictures } from '../pictures/picture';
import type { RunOptions } from '../sampling';
import type { Tensor } from '../tensor';
import { addDrawingOptions, NO_DEFAULT, PROMPT, ROWS, told } from './drawing-options';
import { UsageError } from './errors';
import { interruptible } from './interrupt';
import { type ModelFlags, type OpenedModel, type OpenModelOptions, openZooModel, withWeights } from './model-options';
import type { Output } from './output';
import { fileNameOf, nextNumber, saveGrid, savePicture, takePictures } from './picture-files';
import { Progress } from './progress';
import { type ScriptDefaults, scriptDefaultsOf } from './text-to-image-defaults';

/** Flags of both commands. */
export interface TextFlags {
  prompt: string;
  negative_prompt: string;
  fromFile?: string;
  outdir: string;
  skip_grid?: boolean;
  skip_save?: boolean;
  ddim_steps?: number;
  plms?: boolean;
  fixed_code?: boolean;
  ddim_eta: number;
  n_iter?: number;
  C?: number;
  f?: number;
  n_samples?: number;
  n_rows: number;
  scale?: number;
  seed: number;
}

/** Adds the options of both commands; defaults that depend on the model are named in the help only. */
export function addTextOptions(
  command: Command,
  outdir: string,
  defaults: Record<'steps' | 'n_iter' | 'n_samples' | 'scale', string>,
) {
  return addDrawingOptions(command, {
    prompt: PROMPT,
    negative_prompt: '',
    'from-file': NO_DEFAULT,
    outdir,
    skip_grid: NO_DEFAULT,
    skip_save: NO_DEFAULT,
    ddim_steps: told(defaults.steps),
    ddim_eta: 0,
    n_iter: told(defaults.n_iter),
    C: NO_DEFAULT,
    f: NO_DEFAULT,
    n_samples: told(defaults.n_samples),
    n_rows: ROWS,
    scale: told(defaults.scale),
  });
}

/** The texts of `--from-file`, one a line; null without it. */
export function textsOf(file: string | undefined): string[] | null {
  if (file === undefined) return null;
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read the texts of ${file}: ${(error as Error).message}`, { cause: error });
  }
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`${file} is empty: expected one text a line.`);
  return lines;
}

/** What the flags leave open, as the original script of the model has it. */
export function wantedOf(opened: OpenedModel, flags: TextFlags, command: 'txt2img' | 'img2img'): ScriptDefaults {
  const defaults = scriptDefaultsOf(opened.model, command);
  const { ddim_steps = Math.min(defaults.ddim_steps, opened.model.numTimesteps) } = flags;
  const { n_iter = defaults.n_iter, n_samples = defaults.n_samples, scale = defaults.scale } = flags;
  return { ...defaults, ddim_steps, n_iter, n_samples, scale };
}

/** `--C` and `--f` of the original have to agree with the model. */
export function checkLatent(flags: TextFlags, channels: number, factor: number): void {
  if (flags.C !== undefined && flags.C !== channels)
    throw new UsageError(`This model's latents have ${channels} channels: leave --C ${flags.C} out.`);
  if (flags.f !== undefined && flags.f !== factor)
    throw new UsageError(`This model's first stage has factor ${factor}: leave --f ${flags.f} out.`);
}

/**
 * What both commands do around their drawing: open the model that the flags name, else that of the zoo, else the bundled one;
 * draw with the wanted weights until ctrl-C; print the files.
 */
export async function runTextCommand(
  flags: ModelFlags,
  zoo: ZooModel,
  output: Output,
  draw: (opened: OpenedModel, signal: AbortSignal) => Promise<DrawnTexts>,
  options: Pick<OpenModelOptions, 'seedBeforeModel'> = {},
): Promise<void> {
  await interruptible(async (signal) => {
    const opened = await openZooModel(flags, zoo, { ...options, orBundled: (note) => output.note(note) });
    try {
      const files = await withWeights(opened, () => draw(opened, signal));
      output.result(files, () => [...files.images, ...(files.grid ? [files.grid] : [])].join('\n'));
    } finally {
      opened.model.dispose();
    }
  });
}

export interface DrawnTexts {
  images: string[];
  grid: string | null;
  settings: object;
}

export interface DrawTextsPlan {
  texts: readonly string[] | null;
  wanted: ScriptDefaults;
  /** What else pictures tell of themselves. */
  settings: object;
  /** Draws one batch: pictures [n, 3, H, W] in [0, 1]. */
  draw(
    prompts: readonly string[],
    run: Pick<RunOptions, 'random' | 'precision' | 'tile' | 'signal' | 'onProgress'>,
  ): Promise<Tensor>;
}

/** Draws all batches and writes `samples/00000.png`, ... and the grid. */
export async function drawTexts(
  opened: OpenedModel,
  flags: TextFlags,
  plan: DrawTextsPlan,
  signal: AbortSignal,
  output: Output,
): Promise<DrawnTexts> {
  const { texts, wanted } = plan;
  const { random, precision, tile } = opened;
  const batches = texts ? chunks(texts, wanted.n_samples) : [Array<string>(wanted.n_samples).fill(flags.prompt)];
  const settings = {
    checkpoint: opened.checkpoint,
    global_step: opened.globalStep,
    steps: wanted.ddim_steps,
    eta: flags.ddim_eta,
    scale: wanted.scale,
    ...plan.settings,
    seed: flags.seed,
    ema: opened.ema,
  };
  const samplePath = path.join(flags.outdir, 'samples');
  let next = nextNumber(samplePath, /^(\d+)\.png$/);
  const gridNumber = nextNumber(flags.outdir, /^grid-(\d+)\.png$/, 'samples');
  const progress = new Progress(output, { label: 'sampling', total: 1 });
  const images: string[] = [];
  const all: Pictures[] = [];
  const runs = wanted.n_iter * batches.length;
  for (let run = 0; run < runs; run++) {
    const prompts = batches[run % batches.length];
    const onProgress = ({ step, total }: { step: number; total: number }) =>
      progress.update(run * total + step, {}, runs * total);
    const pictures = await takePictures(await plan.draw(prompts, { random, precision, tile, signal, onProgress }));
    if (!flags.skip_save)
      for (const [k, prompt] of prompts.entries()) {
        const file = path.join(samplePath, `${String(next++).padStart(wanted.digits, '0')}.png`);
        await savePicture(file, pictures, k, { prompt, ...settings, index: run * wanted.n_samples + k });
        images.push(file);
      }
    if (!flags.skip_grid) all.push(pictures);
  }
  progress.end();
  if (flags.skip_grid) return { images, grid: null, settings };
  const numbered = `grid-${String(gridNumber).padStart(4, '0')}`;
  const grid = path.join(
    flags.outdir,
    `${wanted.gridNamedByPrompt && !texts ? fileNameOf(flags.prompt) : numbered}.png`,
  );
  const prompt = texts ? { prompts: texts } : { prompt: flags.prompt };
  await saveGrid(grid, all, flags.n_rows || wanted.n_samples, { ...prompt, ...settings });
  return { images, grid, settings };
}

/** Groups of at most `size`. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
