/** A picture changed as a text says, as scripts/img2img.py of Stable Diffusion (SDEdit, https://arxiv.org/abs/2108.01073). */
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import { changePictures } from './change-pictures';
import type { PipelineOptions } from './draw';
import { encodeTexts, type TextOptions } from './text-to-image';

export interface ImageToImageOptions extends Omit<PipelineOptions, 'sampler' | 'xT'>, TextOptions {
  /** The pictures to begin with, as {@link encodePictures} gives them: one for each prompt, [n, c, h, w]. */
  latents: Tensor;
  /** How much of them is lost, 0 to 1. Default 0.75. */
  strength?: number;
}

/**
 * Adds noise to the latents and takes it away with DDIM (50 steps, of which strength * steps are done, eta 0), guided by texts.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that takes no texts, a strength beyond 0 to 1, or other numbers of prompts and
 *   latents
 */
export async function imageToImage(model: LatentDiffusion, options: ImageToImageOptions): Promise<Tensor> {
  const { prompts, latents, strength = 0.75, scale = 5, negativePrompt, ...run } = options;
  if (latents.shape[0] !== prompts.length)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected one picture for each of the ${prompts.length} prompts but received ${latents.shape[0]}`,
    );
  const texts = await encodeTexts(model, { prompts, scale, negativePrompt }, run);
  return changePictures(model, { ...run, latents, strength, conditions: { ...texts, scale } });
}
