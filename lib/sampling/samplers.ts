/** The samplers by name. One line each. */
import type { DDPM } from '../models/ddpm';
import type { Tensor } from '../tensor';
import { type DDIMSampleOptions, DDIMSampler } from './ddim-sampler';
import { DDPMSampler } from './ddpm-sampler';
import { PLMSSampler } from './plms-sampler';
import type { Sampling } from './sampling';

/** Options that a sampler may use or not: all are given. */
type Options = DDIMSampleOptions & { eta: number };

/** How to begin a run. */
export type StartSampling = (model: DDPM, options: Options) => Sampling<{ samples: Tensor }>;

const samplers = {
  /** DDIM: `steps` and `eta` */
  ddim: (model, options) => new DDIMSampler(model).sample(options),
  /** PLMS: `steps`; eta has to be 0 */
  plms: (model, options) => new PLMSSampler(model).sample(options as Options & { eta: 0 }),
  /** Ancestral sampling with all of the model's timesteps; no guidance */
  ddpm: (model, { steps, eta, timesteps, ...options }) => new DDPMSampler(model).sample(options),
} satisfies Record<string, StartSampling>;

export type SamplerName = keyof typeof samplers;

/** Names of all samplers. */
export const samplerNames = Object.keys(samplers) as SamplerName[];

/** Begins a run of a sampler. */
export function startSampling(name: SamplerName, model: DDPM, options: Options): Sampling<{ samples: Tensor }> {
  return samplers[name](model, options);
}
