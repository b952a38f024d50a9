/**
 * PLMS (Liu et al. 2022, https://arxiv.org/abs/2202.09778): DDIM's formula without noise, with the network's output
 * extrapolated from the last four steps; reference: ldm.models.diffusion.plms.PLMSSampler. Departures: those of DDIM.
 */
import type { DDPM } from '../models/ddpm';
import { type DDIMSampleOptions, type DDIMSampleResult, strided } from './ddim-sampler';
import type { Sampling } from './sampling';

export interface PLMSSampleOptions extends DDIMSampleOptions {
  /** PLMS is deterministic: nothing but 0. */
  eta?: 0;
}

/** Samples with few steps; better than DDIM with very few. The first step evaluates the network twice. */
export class PLMSSampler {
  readonly model: DDPM;

  /** @param model switch it to evaluation mode, and to its EMA weights if it has any (`model.emaScope`) */
  constructor(model: DDPM) {
    this.model = model;
  }

  /**
   * Prepares a run: await it for the result, or iterate over its steps first.
   * @throws LdmError ERR_INVALID_ARGUMENT for options that do not fit each other or (when it runs) the model
   */
  sample(options: PLMSSampleOptions): Sampling<DDIMSampleResult> {
    return strided('ldm.models.diffusion.plms.PLMSSampler', this.model, options);
  }
}
