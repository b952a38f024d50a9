/** Looking into files: `ldm inspect` and for programs. */
export { type CheckpointSummary, inspectCheckpoint, type TensorStats, type TensorSummary } from './checkpoint';
export { type ConfigSummary, inspectConfig } from './config';
