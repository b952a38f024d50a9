/** What all pipelines do: draw latents with a sampler, decode them to pictures. */
import type { RandomSource } from '../../job';
import type { DDPM } from '../../models/ddpm';
import { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import type { Conditioning } from '../conditioning';
import { type SamplerName, startSampling } from '../samplers';
import type { RunOptions } from '../sampling';

/** Options of every pipeline. Use the averaged weights by running it in `model.emaScope`. */
export interface PipelineOptions extends RunOptions {
  /** Default 'ddim'. */
  sampler?: SamplerName;
  /** Steps of the sampler, at most the model's timesteps. */
  steps?: number;
  /** DDIM's noise, 0 to 1. */
  eta?: number;
  /** Where noise comes from; with a generator the same seed gives the same pictures. Default: libtorch's default generator. */
  random?: RandomSource;
  /** Where to start in place of noise, [n, c, h, w]. */
  xT?: Tensor | null;
}

/** @internal What a pipeline has worked out. */
export interface DrawPlan {
  /** [n, c, h, w] */
  shape: readonly [number, number, number, number];
  conditioning?: Conditioning | null;
  unconditionalConditioning?: Conditioning | null;
  scale?: number;
  /** Where it is 1 the latent is held at `x0`. */
  mask?: Tensor;
  x0?: Tensor;
  /** Defaults of the pipeline. */
  defaults: { steps: number; eta: number };
}

/** Latents [n, c, h, w] of a plan. @internal */
export async function drawLatents(model: DDPM, plan: DrawPlan, options: PipelineOptions): Promise<Tensor> {
  const { sampler = 'ddim', steps, eta, ...run } = options;
  const [batchSize, ...shape] = plan.shape;
  const { samples } = await startSampling(sampler, model, {
    ...run,
    batchSize,
    shape,
    conditioning: plan.conditioning,
    mask: plan.mask,
    x0: plan.x0,
    unconditionalConditioning: plan.unconditionalConditioning,
    unconditionalGuidanceScale: plan.unconditionalConditioning ? plan.scale : 1,
    steps: steps ?? Math.min(plan.defaults.steps, model.numTimesteps),
    eta: eta ?? plan.defaults.eta,
  });
  return samples;
}

/** Pictures [n, channels, H, W] in [0, 1] of latents (or of samples of a model without a first stage). @internal */
export async function decodePictures(model: DDPM, latents: Tensor, options: PipelineOptions): Promise<Tensor> {
  const { signal, precision, tile } = options;
  const images =
    model instanceof LatentDiffusion ? await model.decodeFirstStage(latents, { signal, precision, tile }) : latents;
  return images.to({ dtype: 'float32' }).add(1).div(2).clamp(0, 1);
}
