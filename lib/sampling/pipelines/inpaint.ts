/** Inpainting with a model that is conditioned on the rest of the picture, as scripts/inpaint.py (inpainting_big). */

import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { firstStageFactor, latentShape } from './sizes';

export interface InpaintOptions extends PipelineOptions {
  /** Pictures [n, 3, H, W] in [0, 1]. */
  image: Tensor;
  /** 1 where the picture is to be filled in, 0 where it stays, [n, 1, H, W]. */
  mask: Tensor;
}

/** Whether a model is conditioned on a masked picture and its mask. */
export function isInpaintingModel(model: LatentDiffusion): boolean {
  return model.params.cond_stage_key === 'masked_image';
}

/**
 * Fills in the masked part with DDIM (50 steps, eta 0) or another sampler; the rest stays as it is.
 * @returns [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that does not inpaint, or a size that the networks cannot halve
 */
export async function inpaint(model: LatentDiffusion, options: InpaintOptions): Promise<Tensor> {
  const { image, mask, ...run } = options;
  if (!isInpaintingModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected an inpainting model (cond_stage_key masked_image) but this one has '${model.params.cond_stage_key}'`,
    );
  const { n, height, width } = checkInpainting(image, mask);
  const shape = latentShape(model, { height, width });
  const conditioning = await inpaintConditioning(model, image, mask, run);
  const plan = { shape: [n, ...shape] as const, conditioning, defaults: { steps: 50, eta: 0 } };
  const filled = await decodePictures(model, await drawLatents(model, plan, run), run);
  // To [-1, 1] and back as the script does: levels are cut off when they are saved, so the last bit counts.
  const kept = image.mul(2).sub(1).add(1).div(2).clamp(0, 1);
  return mask.neg().add(1).mul(kept).add(mask.mul(filled));
}

/**
 * The encoded rest of the picture and, as one more channel, the mask in [-1, 1] (the networks were trained so), resized
 * without interpolation: [n, c + 1, h, w].
 */
export async function inpaintConditioning(
  model: LatentDiffusion,
  image: Tensor,
  mask: Tensor,
  options: Pick<PipelineOptions, 'signal' | 'precision' | 'tile'> = {},
): Promise<Tensor> {
  const { signal, precision, tile } = options;
  const masked = mask.neg().add(1).mul(image).mul(2).sub(1);
  const encoded = await noGrad(() => model.getLearnedConditioning(masked, { signal, precision, tile }));
  return Tensor.cat([encoded, smallMask(model, mask.mul(2).sub(1))], 1);
}

/** A mask of the latent's size, resized without interpolation. @internal */
export function smallMask(model: LatentDiffusion, mask: Tensor): Tensor {
  const factor = firstStageFactor(model);
  return mask.slice(2, 0, mask.shape[2], factor).slice(3, 0, mask.shape[3], factor);
}

/** How many pictures of what size. @throws LdmError ERR_INVALID_ARGUMENT for a mask of another size @internal */
export function checkInpainting(image: Tensor, mask: Tensor): { n: number; height: number; width: number } {
  const [n, , height, width] = image.shape;
  const [, ...maskShape] = mask.shape;
  if (image.dim !== 4 || mask.dim !== 4 || maskShape.join() !== [1, height, width].join())
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected pictures [n, 3, H, W] and a mask [n, 1, H, W] but received [${image.shape}] and [${mask.shape}]`,
    );
  return { n, height, width };
}
