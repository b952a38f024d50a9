/** Training: the trainer, its callbacks and log folder, schedules and optimizers. */
export type { BatchEvent, Callback, TrainerView } from './callbacks/callback';
export { ImageLogger, type ImageLoggerOptions } from './callbacks/image-logger';
export { ModelCheckpoint, type ModelCheckpointOptions } from './callbacks/model-checkpoint';
export * from './lit-ema';
export { LogFolder } from './log-folder';
export { type Metrics, MetricsLogger } from './metrics';
export * from './optimizer';
export type { TrainProgress } from './progress';
export { EventWriter } from './tensorboard/event-writer';
export { type FitResult, type StopReason, Trainer, type TrainerOptions } from './trainer';
export { TrainingRun, type TrainingRunOptions } from './training-run';
