/** Pictures without a condition, as scripts/sample_diffusion.py. */
import { LdmError } from '../../errors';
import type { DDPM } from '../../models/ddpm';
import type { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';

export interface UnconditionalOptions extends PipelineOptions {
  /** How many pictures. Default 1. */
  n?: number;
}

/**
 * Draws pictures with DDIM (50 steps, eta 1) or another sampler.
 * @returns [n, channels, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that needs a condition
 */
export async function unconditionalImages(model: DDPM, options: UnconditionalOptions = {}): Promise<Tensor> {
  const { n = 1, ...run } = options;
  if (model.params.cond_stage_config !== undefined && model.params.cond_stage_config !== '__is_unconditional__')
    throw new LdmError('ERR_INVALID_ARGUMENT', 'This model needs a condition: it was not trained without one.');
  const plan = { shape: [n, ...model.sampleShape] as const, defaults: { steps: 50, eta: 1 } };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}
