/** Super-resolution, as notebook_helpers.py does it with bsr_sr: the small picture is concatenated to the latent. */
import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { firstStageFactor, latentShape } from './sizes';

export interface SuperResolveOptions extends PipelineOptions {
  /** Small pictures [n, 3, h, w] in [0, 1]. */
  image: Tensor;
}

/** Whether a model is conditioned on a small picture. */
export function isSuperResolutionModel(model: LatentDiffusion): boolean {
  return model.params.cond_stage_key === 'LR_image';
}

/**
 * Enlarges pictures by the factor of the model's first stage (4 for bsr_sr) with DDIM (100 steps, eta 1) or another sampler.
 * @returns [n, 3, factor * h, factor * w] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that does not enlarge, or a size that the networks cannot halve
 */
export async function superResolve(model: LatentDiffusion, options: SuperResolveOptions): Promise<Tensor> {
  const { image, ...run } = options;
  if (!isSuperResolutionModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a super-resolution model (cond_stage_key LR_image) but this one has '${model.params.cond_stage_key}'`,
    );
  if (image.dim !== 4)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected pictures [n, 3, h, w] but received [${image.shape}]`);
  const factor = firstStageFactor(model);
  const [n, , h, w] = image.shape;
  const shape = latentShape(model, { height: h * factor, width: w * factor }, 'the enlarged picture');
  const { signal, precision } = options;
  const conditioning = await model.getLearnedConditioning(image.mul(2).sub(1), { signal, precision });
  const plan = { shape: [n, ...shape] as const, conditioning, defaults: { steps: 100, eta: 1 } };
  drawPosterior(model, plan.shape, run);
  return decodePictures(model, await drawLatents(model, plan, run), run);
}

/**
 * The notebook encodes the enlarged picture for the shape of its latent. With a KL first stage that draws numbers, so the
 * same seed goes on from there.
 */
function drawPosterior(model: LatentDiffusion, shape: readonly number[], { random }: PipelineOptions): void {
  const stage = model.params.first_stage_config as ResolvedNode;
  if (random && stage.target.endsWith('.AutoencoderKL'))
    Tensor.randn(shape, { random, device: model.device }).dispose();
}
