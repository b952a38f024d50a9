/** A picture changed as a text says, as scripts/img2img.py of Stable Diffusion (SDEdit, https://arxiv.org/abs/2108.01073). */
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import { DDIMSampler } from '../ddim-sampler';
import { decodePictures, type PipelineOptions } from './draw';
import { latentShape } from './sizes';
import { encodeTexts, type TextOptions } from './text-to-image';

export interface ImageToImageOptions extends Omit<PipelineOptions, 'sampler' | 'xT'>, TextOptions {
  /** The pictures to begin with, as {@link encodePictures} gives them: one for each prompt, [n, c, h, w]. */
  latents: Tensor;
  /** How much of them is lost, 0 to 1. Default 0.75. */
  strength?: number;
}

/**
 * The scaled latents of pictures: draws from the first stage's posterior, as in the original script.
 * @param pictures [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a size that the networks cannot halve
 */
export async function encodePictures(
  model: LatentDiffusion,
  pictures: Tensor,
  options: Pick<PipelineOptions, 'random' | 'precision' | 'signal'> = {},
): Promise<Tensor> {
  latentShape(model, { height: pictures.shape[2], width: pictures.shape[3] });
  return model.encodeFirstStage(pictures.mul(2).sub(1), options);
}

/** The step that a strength means: the noise that is added, and how many steps take it away. */
export function stepOfStrength(strength: number, steps: number): number {
  return Math.trunc(strength * steps);
}

/**
 * Adds noise to the latents and takes it away with DDIM (50 steps, of which strength * steps are done, eta 0), guided by texts.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that takes no texts, a strength beyond 0 to 1, or other numbers of prompts and
 *   latents
 */
export async function imageToImage(model: LatentDiffusion, options: ImageToImageOptions): Promise<Tensor> {
  const { prompts, latents, strength = 0.75, scale = 5, negativePrompt, eta = 0, ...run } = options;
  const steps = options.steps ?? Math.min(50, model.numTimesteps);
  if (!(strength >= 0 && strength <= 1))
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a strength from 0 to 1 but received ${strength}`);
  if (latents.shape[0] !== prompts.length)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected one picture for each of the ${prompts.length} prompts but received ${latents.shape[0]}`,
    );
  const { conditioning, unconditionalConditioning } = await encodeTexts(model, { prompts, scale, negativePrompt }, run);
  const sampler = new DDIMSampler(model);
  const startStep = stepOfStrength(strength, steps);
  const noisy = await sampler.stochasticEncode(latents, startStep, { ...run, steps, onProgress: undefined });
  if (startStep === 0) return decodePictures(model, noisy, run);
  const { samples } = await sampler.decode(noisy, {
    ...run,
    steps,
    startStep,
    eta,
    conditioning,
    unconditionalConditioning,
    unconditionalGuidanceScale: unconditionalConditioning ? scale : 1,
  });
  return decodePictures(model, samples, run);
}
