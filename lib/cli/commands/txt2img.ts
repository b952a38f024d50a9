/** `ldm txt2img`: pictures of texts, with the options, file names and seeds of the original scripts/txt2img.py. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { modelZoo } from '../../models/model-zoo';
import type { Pictures } from '../../pictures/picture';
import { firstStageFactor, latentShape, textToImage, trainedSize } from '../../sampling/pipelines';
import { Tensor } from '../../tensor';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { interruptible } from '../interrupt';
import {
  addModelOptions,
  latentModel,
  type ModelFlags,
  type OpenedModel,
  openZooModel,
  withWeights,
} from '../model-options';
import { fileNameOf, nextNumber, saveGrid, savePicture, takePictures } from '../picture-files';
import { Progress } from '../progress';
import { type ScriptDefaults, scriptDefaultsOf } from '../text-to-image-defaults';
import { integerFrom, numberWithin } from '../values';

interface Txt2ImgFlags extends ModelFlags {
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
  H?: number;
  W?: number;
  C?: number;
  f?: number;
  n_samples?: number;
  n_rows: number;
  scale?: number;
}

export const txt2img: CommandDefinition = {
  configure(command: Command) {
    command
      .option('--prompt <text>', 'what to draw', 'a painting of a virus monster playing guitar')
      .option('--negative_prompt <text>', 'what guidance leads away from', '')
      .option('--from-file <file>', 'draw the texts of a file, one a line')
      .option('--outdir <dir>', 'folder for the pictures', 'outputs/txt2img-samples')
      .option('--skip_grid', 'write no grid of all pictures')
      .option('--skip_save', 'write no single pictures')
      .option('--ddim_steps <n>', 'steps of the sampler (default: 200; Stable Diffusion: 50)', integerFrom(1))
      .option('--plms', 'sample with PLMS')
      .option('--fixed_code', 'begin each batch with the same noise')
      .option('--ddim_eta <x>', 'noise of DDIM, 0 to 1', numberWithin(0, 1), 0)
      .option('--n_iter <n>', 'how often (default: 1; Stable Diffusion: 2)', integerFrom(1))
      .option('--H <pixels>', "height (default: the model's)", integerFrom(1))
      .option('--W <pixels>', "width (default: the model's)", integerFrom(1))
      .option('--C <n>', "channels of the latent (the model's, or an error)", integerFrom(1))
      .option('--f <n>', "factor of the first stage (the model's, or an error)", integerFrom(1))
      .option('--n_samples <n>', 'pictures of each text at a time (default: 4; Stable Diffusion: 3)', integerFrom(1))
      .option('--n_rows <n>', 'pictures in a row of the grid (default: n_samples)', integerFrom(0), 0)
      .option('--scale <x>', 'guidance, 1 is none (default: 5; Stable Diffusion: 7.5)', numberWithin(0));
    addModelOptions(command, modelZoo['text2img-large']).action(async (flags: Txt2ImgFlags) => {
      const output = outputOf(command);
      if (flags.plms && flags.ddim_eta !== 0)
        throw new UsageError(`PLMS is deterministic: leave --ddim_eta at 0 (it is ${flags.ddim_eta}).`);
      const texts = flags.fromFile === undefined ? null : textsOf(flags.fromFile);
      await interruptible(async (signal) => {
        const opened = await openZooModel(flags, modelZoo['text2img-large'], { seedBeforeModel: true });
        try {
          const files = await withWeights(opened, () => draw(opened, texts, flags, signal, output));
          output.result(files, () => [...files.images, ...(files.grid ? [files.grid] : [])].join('\n'));
        } finally {
          opened.model.dispose();
        }
      });
    });
  },
};

/** The lines of a file. */
function textsOf(file: string): string[] {
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

interface Drawn {
  images: string[];
  grid: string | null;
  settings: object;
}

async function draw(
  opened: OpenedModel,
  texts: readonly string[] | null,
  flags: Txt2ImgFlags,
  signal: AbortSignal,
  output: ReturnType<typeof outputOf>,
): Promise<Drawn> {
  const model = latentModel(opened);
  const defaults = scriptDefaultsOf(model);
  const wanted = { ...defaults, ddim_steps: Math.min(defaults.ddim_steps, model.numTimesteps), ...given(flags) };
  const trained = trainedSize(model);
  const size = { height: flags.H ?? trained.height, width: flags.W ?? trained.width };
  const shape = checkedShape(model, size, flags);
  const batches = texts ? chunks(texts, wanted.n_samples) : [Array<string>(wanted.n_samples).fill(flags.prompt)];
  const { random, precision } = opened;
  const startCode = flags.fixed_code
    ? Tensor.randn([wanted.n_samples, ...shape], { random, device: model.device })
    : undefined;

  const settings = {
    checkpoint: opened.checkpoint,
    global_step: opened.globalStep,
    sampler: flags.plms ? 'plms' : 'ddim',
    steps: wanted.ddim_steps,
    eta: flags.ddim_eta,
    scale: wanted.scale,
    ...size,
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
    const pictures = await takePictures(
      await textToImage(model, {
        prompts,
        negativePrompt: flags.negative_prompt,
        scale: wanted.scale,
        sampler: flags.plms ? 'plms' : 'ddim',
        steps: wanted.ddim_steps,
        eta: flags.ddim_eta,
        ...size,
        xT: startCode?.slice(0, 0, prompts.length),
        random,
        precision,
        signal,
        onProgress: ({ step, total }) => progress.update(run * total + step, {}, runs * total),
      }),
    );
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
  const name =
    defaults.gridNamedByPrompt && !texts ? fileNameOf(flags.prompt) : `grid-${String(gridNumber).padStart(4, '0')}`;
  const grid = path.join(flags.outdir, `${name}.png`);
  const prompt = texts ? { prompts: texts } : { prompt: flags.prompt };
  await saveGrid(grid, all, flags.n_rows || wanted.n_samples, { ...prompt, ...settings });
  return { images, grid, settings };
}

/** The flags that have defaults of their own in each script, where they are given. */
function given(flags: Txt2ImgFlags): Partial<ScriptDefaults> {
  const { ddim_steps, n_iter, n_samples, scale } = flags;
  return Object.fromEntries(
    Object.entries({ ddim_steps, n_iter, n_samples, scale }).filter(([, v]) => v !== undefined),
  );
}

/** The latent's shape; `--C` and `--f` of the original have to agree with the model. */
function checkedShape(model: LatentDiffusion, size: { height: number; width: number }, flags: Txt2ImgFlags): number[] {
  const shape = latentShape(model, size);
  const factor = firstStageFactor(model);
  if (flags.C !== undefined && flags.C !== shape[0])
    throw new UsageError(`This model's latents have ${shape[0]} channels: leave --C ${flags.C} out.`);
  if (flags.f !== undefined && flags.f !== factor)
    throw new UsageError(`This model's first stage has factor ${factor}: leave --f ${flags.f} out.`);
  return shape;
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
