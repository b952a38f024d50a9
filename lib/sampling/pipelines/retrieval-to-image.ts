/** Retrieval-augmented diffusion (Blattmann et al. 2022, https://arxiv.org/abs/2204.11824), as scripts/knn2img.py. */
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { latentShape, type PictureSize, trainedSize } from './sizes';

export interface RetrievalToImageOptions extends PipelineOptions, Partial<PictureSize> {
  /**
   * CLIP embeddings of length 1, [n, tokens, d]: of a text, of images near it (RetrievalDatabase.search), or of both one
   * after the other.
   */
  embeddings: Tensor;
  /** Guidance away from no embedding: uncond + scale * (cond - uncond); 1 is none. Default 5. */
  scale?: number;
}

/** Whether a model is conditioned on embeddings that are given: it has no encoder of its own for them. */
export function isRetrievalModel(model: LatentDiffusion): boolean {
  const stage = model.params.cond_stage_config as { target?: string } | string | undefined;
  return (
    model.params.conditioning_key === 'crossattn' && typeof stage === 'object' && stage.target === 'torch.nn.Identity'
  );
}

/**
 * Draws pictures of embeddings with DDIM (50 steps, eta 0) or another sampler.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that is conditioned otherwise, embeddings of another width, or a size
 *   that the networks cannot halve
 */
export async function retrievalToImage(model: LatentDiffusion, options: RetrievalToImageOptions): Promise<Tensor> {
  const { embeddings, scale = 5, height, width, ...run } = options;
  const fail = (message: string): never => {
    throw new LdmError('ERR_INVALID_ARGUMENT', message);
  };
  if (!isRetrievalModel(model))
    fail(
      'This model is not conditioned on embeddings: expected conditioning_key crossattn and no encoder (torch.nn.Identity).',
    );
  const unet = model.params.unet_config as { params: { context_dim?: number } };
  const wanted = unet.params.context_dim;
  if (embeddings.dim !== 3 || embeddings.shape[2] !== wanted)
    fail(
      `Expected embeddings [n, tokens, ${wanted}] for this model but received [${embeddings.shape}]; another CLIP model is needed.`,
    );
  const trained = trainedSize(model);
  const shape = latentShape(model, { height: height ?? trained.height, width: width ?? trained.width });
  const plan = {
    shape: [embeddings.shape[0], ...shape] as const,
    conditioning: embeddings,
    unconditionalConditioning: scale === 1 ? null : Tensor.zeros(embeddings.shape, { device: model.device }),
    scale,
    defaults: { steps: 50, eta: 0 },
  };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}
