/** Looking into files: `ldm inspect` and for programs. */
export { type CheckpointSummary, inspectCheckpoint, type TensorSummary } from './checkpoint';
export { type ConfigSummary, countParameters, inspectConfig, type ParameterCounts } from './config';
export { type FolderPart, type FolderSummary, inspectFolder } from './folder';
export type { TensorStats } from './statistics';
