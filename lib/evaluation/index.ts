/** Measuring images and first stages. */
export {
  type EvaluationOptions,
  type EvaluationResult,
  evaluateFolders,
  METRICS,
  type Metric,
  type Summary,
} from './evaluate';
export { evaluateModel, type ModelEvaluation, type ModelEvaluationOptions } from './evaluate-model';
export { GaussianStatistics } from './gaussian-statistics';
export type { ImagesOption } from './images-of';
export { FID_PROTOCOLS, type FidProtocol, InceptionV3 } from './inception';
export { type LatentStatistics, readLatentStatistics, writeLatentStatistics } from './latent-sidecar';
export { type MeasureLatentsOptions, measureLatents } from './measure-latents';
