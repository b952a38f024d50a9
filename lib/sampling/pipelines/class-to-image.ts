/** Pictures of classes, as scripts/latent_imagenet_diffusion.ipynb. */

import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { DDPM } from '../../models/ddpm';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';

export interface ClassToImageOptions extends PipelineOptions {
  /** One picture each, 0 to n_classes - 1. */
  labels: readonly number[];
  /** Guidance: uncond + scale * (cond - uncond); 1 is none. Default 1. */
  scale?: number;
  /** The label that stands for any class; needed for guidance. ImageNet's model has 1000. */
  unconditionalLabel?: number | null;
}

/** Number of labels of a class-conditional model; null for one that is conditioned otherwise or not at all. */
export function classCountOf(model: DDPM): number | null {
  const stage = model.params.cond_stage_config as ResolvedNode | string | undefined;
  if (typeof stage !== 'object' || !stage.target.endsWith('.ClassEmbedder')) return null;
  return stage.params.n_classes as number;
}

/**
 * Draws pictures of classes with DDIM (20 steps, eta 0) or another sampler.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model without classes, for an unknown label, for guidance without a label for
 *   any class
 */
export async function classToImage(model: DDPM, options: ClassToImageOptions): Promise<Tensor> {
  const { labels, scale = 1, unconditionalLabel = null, ...run } = options;
  if (scale !== 1 && unconditionalLabel === null)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected an unconditionalLabel for a guidance scale of ${scale}`);
  const conditioning = await classConditioning(model, labels);
  const unconditionalConditioning =
    scale === 1 ? null : await classConditioning(model, Array(labels.length).fill(unconditionalLabel));
  const plan = {
    shape: [labels.length, ...model.sampleShape] as const,
    conditioning,
    unconditionalConditioning,
    scale,
    defaults: { steps: 20, eta: 0 },
  };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}

/** The embeddings of labels. @internal */
export async function classConditioning(model: DDPM, labels: readonly number[]): Promise<Tensor> {
  const classes = classCountOf(model);
  if (classes === null || !(model instanceof LatentDiffusion))
    throw new LdmError('ERR_INVALID_ARGUMENT', 'This model has no classes.');
  const odd = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (odd !== undefined)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a class label from 0 to ${classes - 1} but received ${odd}.`);
  using input = Tensor.from(BigInt64Array.from(labels, BigInt), [labels.length], { device: model.device });
  const stage = model.params.cond_stage_config as ResolvedNode;
  const key = (stage.params.key as string | undefined) ?? (model.params.cond_stage_key as string);
  return noGrad(() => model.getLearnedConditioning({ [key]: input }));
}
