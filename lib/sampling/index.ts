/** Samplers and schedules. One line a file, sorted. */
export * from './conditioning';
export * from './ddim-sampler';
export { type DDPMSampleOptions, type DDPMSampleResult, DDPMSampler, type SampleOptions } from './ddpm-sampler';
export type { RunOptions, SamplingProgress, SamplingStep, ScoreCorrector } from './sampling';
export { Sampling } from './sampling';
export * from './schedules';
