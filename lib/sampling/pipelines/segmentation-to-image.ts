/** Pictures of label maps (semantic_synthesis256 and 512): the map is one-hot encoded, rescaled and concatenated. */

import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { latentShape } from './sizes';

export interface SegmentationToImageOptions extends PipelineOptions {
  /** The label of each pixel, int64 [n, H, W], 0 to the model's number of labels - 1. */
  segmentation: Tensor;
}

/** Number of labels of a model that is conditioned on label maps; null for another model. */
export function labelCountOf(model: LatentDiffusion): number | null {
  const stage = model.params.cond_stage_config as ResolvedNode | string;
  if (model.params.cond_stage_key !== 'segmentation' || typeof stage !== 'object') return null;
  return (stage.params.in_channels as number | undefined) ?? null;
}

/**
 * Draws pictures of label maps with DDIM (200 steps, eta 1, as the reference logs them) or another sampler.
 * @returns [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that takes no label maps, for labels that it does not have, or a size that
 *   the networks cannot halve
 */
export async function segmentationToImage(
  model: LatentDiffusion,
  options: SegmentationToImageOptions,
): Promise<Tensor> {
  const { segmentation, ...run } = options;
  const labels = labelCountOf(model);
  if (labels === null)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'This model takes no label maps (its cond_stage_key is no segmentation).',
    );
  if (segmentation.dim !== 3)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected labels [n, H, W] but received [${segmentation.shape}]`);
  const [n, height, width] = segmentation.shape;
  const shape = latentShape(model, { height, width }, 'the label map');
  const [least, most] = [await segmentation.min().item(), await segmentation.max().item()];
  if (least < 0 || most >= labels)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected labels from 0 to ${labels - 1} but the map has ${least < 0 ? least : most}.`,
    );
  const { signal, precision } = options;
  const conditioning = await noGrad(() =>
    model.getLearnedConditioning(oneHot(segmentation, labels), { signal, precision }),
  );
  const plan = { shape: [n, ...shape] as const, conditioning, defaults: { steps: 200, eta: 1 } };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}

/** [n, labels, H, W] */
function oneHot(segmentation: Tensor, labels: number): Tensor {
  const identity = new Float32Array(labels * labels);
  for (let i = 0; i < labels; i++) identity[i * labels + i] = 1;
  const rows = Tensor.from(identity, [labels, labels], { device: segmentation.device });
  return rows
    .indexSelect(0, segmentation.reshape(-1))
    .reshape(...segmentation.shape, labels)
    .permute(0, 3, 1, 2)
    .contiguous();
}
