/** Pictures of layouts (layout2img-openimages256): boxes with labels, as tokens of the conditioning stage. */

import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { latentShape, type PictureSize, trainedSize } from './sizes';

export interface LayoutToImageOptions extends PipelineOptions, Partial<PictureSize> {
  /** Tokens of the boxes of each picture, int64 [n, tokens]. */
  tokens: Tensor;
}

/** Whether a model is conditioned on boxes. */
export function isLayoutModel(model: LatentDiffusion): boolean {
  return ['coordinates_bbox', 'bbox', 'objects_bbox'].includes(model.params.cond_stage_key as string);
}

/**
 * Draws pictures of layouts with DDIM (200 steps, eta 0) or another sampler.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that takes no layouts, or a size that the networks cannot halve
 */
export async function layoutToImage(model: LatentDiffusion, options: LayoutToImageOptions): Promise<Tensor> {
  const { tokens, height, width, ...run } = options;
  if (!isLayoutModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a layout model (cond_stage_key coordinates_bbox) but this one has '${model.params.cond_stage_key}'`,
    );
  if (tokens.dim !== 2)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected tokens [n, tokens] but received [${tokens.shape}]`);
  const trained = trainedSize(model);
  const shape = latentShape(model, { height: height ?? trained.height, width: width ?? trained.width });
  const { signal, precision } = options;
  const conditioning = await noGrad(() => model.getLearnedConditioning(tokens, { signal, precision }));
  const plan = { shape: [tokens.shape[0], ...shape] as const, conditioning, defaults: { steps: 200, eta: 0 } };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}
