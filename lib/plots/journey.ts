/** What encode, diffuse, denoise and decode do to one picture, by a given model. */
import { LdmError } from '../errors';
import { noGrad } from '../job';
import { LatentDiffusion } from '../models/latent-diffusion';
import type { LoadedModel } from '../models/load-model';
import { type GridRow, labelledGrid } from '../pictures/labelled-grid';
import { type Pictures, picturesOf } from '../pictures/picture';
import { psnr } from '../pictures/psnr';
import { Generator } from '../random';
import { DDIMSampler } from '../sampling/ddim-sampler';
import { encodeGuide, type Guide } from '../sampling/pipelines/guide';
import { Tensor } from '../tensor';

export interface JourneyOptions {
  /** [1, 3, H, W] in [-1, 1] */
  image: Tensor;
  guide?: Guide;
  /** Steps of DDIM for the way back from pure noise. Default 50. */
  steps?: number;
  /** Columns: how many timesteps are shown. Default 6. */
  columns?: number;
  seed?: number;
  signal?: AbortSignal;
}

/** Pictures of several tensors [1, c, h, w], side by side. */
async function row(label: string, tensors: readonly Tensor[]): Promise<GridRow> {
  const parts = await Promise.all(tensors.map(picturesOf));
  const each = parts[0]!.data.length;
  const data = new Float32Array(each * parts.length);
  for (const [i, part] of parts.entries()) data.set(part.data, i * each);
  return { label, pictures: { ...parts[0]!, batch: parts.length, data } };
}

/** The first channels of a latent as grey pictures; values from -3 to 3 standard deviations become black to white. */
async function channels(label: string, latent: Tensor, columns: number): Promise<GridRow> {
  const all = await picturesOf(latent.div(3));
  const batch = Math.min(columns, all.channels);
  const pictures: Pictures = { ...all, batch, channels: 1, data: all.data.subarray(0, batch * all.height * all.width) };
  return { label, pictures };
}

/**
 * Draws the table: the picture and its reconstruction, its latent, and for some timesteps the noisy latent (decoded), the clean
 * picture that the network guesses from it in one step, and what DDIM makes of it.
 * @returns a PNG
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that is no LatentDiffusion
 */
export async function drawJourney({ model }: LoadedModel, options: JourneyOptions): Promise<Buffer> {
  if (!(model instanceof LatentDiffusion)) {
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'Expected a latent diffusion model (LatentDiffusion) to plot the steps of',
    );
  }
  const run = () => rowsOf(model, options);
  const rows = await noGrad(() => (model.params.use_ema ? model.emaScope(run) : run()));
  const title = 'Encode, diffuse, denoise, decode';
  return labelledGrid(rows, { title, subtitle: rows.subtitle, cell: 112 });
}

async function rowsOf(model: LatentDiffusion, options: JourneyOptions): Promise<GridRow[] & { subtitle: string }> {
  const { image, guide = {}, columns = 6, seed = 1, signal } = options;
  const steps = Math.min(options.steps ?? 50, model.numTimesteps);
  using random = new Generator(seed);
  const z = await model.encodeFirstStage(image, { random, signal });
  const reconstruction = await model.decodeFirstStage(z);
  const { conditioning, unconditionalConditioning, scale } = await encodeGuide(model, 1, guide);
  const sampler = new DDIMSampler(model);

  const noisy: Tensor[] = [];
  const noisyLatents: Tensor[] = [];
  const guesses: Tensor[] = [];
  const results: Tensor[] = [];
  const timesteps: number[] = [];
  // One noise for all columns, so that they differ in its amount alone.
  const noise = Tensor.randn(z.shape, { random, device: z.device });
  for (let i = 0; i < columns; i++) {
    const startStep = Math.max(1, Math.round(((i + 1) * steps) / columns));
    const timestep = Math.min(model.numTimesteps - 1, startStep * Math.floor(model.numTimesteps / steps));
    timesteps.push(timestep);
    const t = Tensor.full([1], timestep, { dtype: 'int64', device: z.device });
    const x = await model.qSample(z, t, noise);
    noisyLatents.push(x.slice(1, 0, 1).div(3));
    noisy.push(await model.decodeFirstStage(x));
    const { x0 } = await model.pMeanVariance(x, t, { cond: conditioning, clipDenoised: false });
    guesses.push(await model.decodeFirstStage(x0));
    const started = await sampler.stochasticEncode(z, startStep, { steps, noise });
    const { samples } = await sampler.decode(started, {
      steps,
      startStep,
      conditioning,
      unconditionalConditioning,
      unconditionalGuidanceScale: unconditionalConditioning ? scale : 1,
      random,
      signal,
    });
    results.push(await model.decodeFirstStage(samples));
  }
  const [original, decoded] = [await picturesOf(image), await picturesOf(reconstruction)];
  const quality = psnr(original, decoded);
  const rows = [
    await row('picture, decode(encode)', [image, reconstruction]),
    await channels(`latent, ${z.shape[1]} channels`, z, columns),
    await row('diffused: channel 1', noisyLatents),
    await row('diffused, decoded', noisy),
    await row('one guess of x0', guesses),
    await row('denoised by DDIM', results),
  ];
  const subtitle = `Columns: timestep ${timesteps.join(', ')} of ${model.numTimesteps}. Reconstruction ${quality.toFixed(1)} dB.`;
  return Object.assign(rows, { subtitle });
}
