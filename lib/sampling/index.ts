/** Samplers and schedules. One line a file, sorted. */
export * from './conditioning';
export {
  type DDIMDecodeOptions,
  type DDIMSampleOptions,
  type DDIMSampleResult,
  DDIMSampler,
  type StochasticEncodeOptions,
} from './ddim-sampler';
export { type DDPMSampleOptions, type DDPMSampleResult, DDPMSampler, type SampleOptions } from './ddpm-sampler';
export * from './pipelines';
export * from './plms-sampler';
export { type PreviewKind, previewPictures } from './preview';
export { type SamplerName, samplerNames } from './samplers';
export type { RunOptions, SamplingProgress, SamplingStep, ScoreCorrector, ScoreCorrectorStep } from './sampling';
export { Sampling } from './sampling';
export * from './schedules';
