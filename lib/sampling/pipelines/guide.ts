/** What guides a picture, by what the model is conditioned on: a text, a class, or nothing. */
import { LdmError } from '../../errors';
import type { DDPM } from '../../models/ddpm';
import { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import { classConditioning, classCountOf } from './class-to-image';
import type { PipelineOptions } from './draw';
import { encodeTexts } from './text-to-image';

/** What a picture is of. What the model has no use for is left out. */
export interface Guide {
  /** For models that take texts. Default ''. */
  prompt?: string;
  /** What guidance leads away from. Default ''. */
  negativePrompt?: string;
  /** For models that have classes. */
  label?: number;
  /** The label that stands for any class; needed for guidance of models that have classes. */
  unconditionalLabel?: number | null;
  /** Guidance: uncond + scale * (cond - uncond). Default 1: none. */
  scale?: number;
}

/** A guide as the samplers take it. */
export interface GuideConditions {
  conditioning: Tensor | null;
  unconditionalConditioning: Tensor | null;
  scale: number;
}

/**
 * Encodes a guide for `n` pictures.
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that is conditioned on something else, a class that it does not have, or
 *   guidance that it cannot have
 */
export async function encodeGuide(
  model: DDPM,
  n: number,
  guide: Guide,
  options: Pick<PipelineOptions, 'signal' | 'precision'> = {},
): Promise<GuideConditions> {
  const { prompt = '', negativePrompt = '', label, unconditionalLabel = null, scale = 1 } = guide;
  const repeat = <T>(value: T) => Array<T>(n).fill(value);
  if (!(model instanceof LatentDiffusion) || model.params.cond_stage_config === '__is_unconditional__') {
    if (scale !== 1)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `This model has no condition to guide by: leave the scale at 1, not ${scale}`,
      );
    return { conditioning: null, unconditionalConditioning: null, scale };
  }
  if (model.tokenizer)
    return { ...(await encodeTexts(model, { prompts: repeat(prompt), scale, negativePrompt }, options)), scale };
  if (classCountOf(model) === null)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a model of texts or classes, or an unconditional one, but this is conditioned on '${model.params.cond_stage_key}'`,
    );
  if (label === undefined) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected a label: this model draws classes');
  if (scale !== 1 && unconditionalLabel === null)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected an unconditionalLabel for a guidance scale of ${scale}`);
  return {
    conditioning: await classConditioning(model, repeat(label)),
    unconditionalConditioning: scale === 1 ? null : await classConditioning(model, repeat(unconditionalLabel!)),
    scale,
  };
}
