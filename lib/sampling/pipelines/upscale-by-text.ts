/** Upscaling as a text says, as scripts/streamlit/superresolution.py of Stable Diffusion 2 does it. */
import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { LatentUpscaleDiffusion } from '../../models/latent-upscale-diffusion';
import { Tensor } from '../../tensor';
import type { PipelineOptions } from './draw';
import { firstStageFactor, latentShape } from './sizes';
import type { SuperResolveOptions } from './super-resolution';
import { drawByTexts, encodeTexts, type TextOptions } from './text-to-image';

export interface UpscaleByTextOptions extends SuperResolveOptions, TextOptions {
  /** How much noise the small picture gets, below the model's max_noise_level (350). Default 20. */
  noiseLevel?: number;
}

/** Whether a model enlarges pictures as a text says. */
export function isTextUpscalingModel(model: LatentDiffusion): model is LatentUpscaleDiffusion {
  return model instanceof LatentUpscaleDiffusion;
}

/**
 * Enlarges pictures by the factor of the model's first stage (4) with DDIM (50 steps, eta 0, guidance 9) or another sampler.
 * @returns [n, 3, factor * h, factor * w] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that does not enlarge by text, for other numbers of prompts and pictures, a noise
 *   level that it does not have, or a size that the networks cannot halve
 */
export async function upscaleByText(model: LatentDiffusion, options: UpscaleByTextOptions): Promise<Tensor> {
  const { image, prompts, scale = 9, negativePrompt, noiseLevel = 20, ...run } = options;
  if (!isTextUpscalingModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'Expected a LatentUpscaleDiffusion: this model does not enlarge by text.',
    );
  const [n, , h, w] = image.shape;
  if (image.dim !== 4 || prompts.length !== n)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected pictures [n, 3, h, w] and one prompt each but received [${image.shape}] and ${prompts.length} prompts`,
    );
  const { params } = model.params.low_scale_config as ResolvedNode;
  const levels = (params.max_noise_level as number | undefined) ?? 1;
  if (!(Number.isInteger(noiseLevel) && noiseLevel >= 0 && noiseLevel < levels))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a noise level from 0 to ${levels - 1} but received ${noiseLevel}`,
    );
  const factor = firstStageFactor(model);
  const shape = latentShape(model, { height: h * factor, width: w * factor }, 'the enlarged picture');
  const texts = await encodeTexts(model, { prompts, scale, negativePrompt }, run);
  const level = Tensor.full([n], noiseLevel, { dtype: 'int64', device: model.device });
  const low = await model.lowScale(image.mul(2).sub(1), level, runOf(run));
  const conditionOf = (c: Tensor) => ({ c_concat: [low.x], c_crossattn: [c], c_adm: low.level });
  return drawByTexts(model, { shape: [n, ...shape], texts, scale, conditionOf }, run);
}

const runOf = ({ random, signal, precision }: PipelineOptions) => ({ random, signal, precision });
