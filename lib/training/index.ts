/** Training: the trainer, its callbacks and log folder, schedules and optimizers. */
export type { BatchEvent, Callback, TrainerView } from './callbacks/callback';
export { EarlyStopping } from './callbacks/early-stopping';
export { ImageLogger, type ImageLoggerOptions } from './callbacks/image-logger';
export { LearningRateMonitor } from './callbacks/learning-rate-monitor';
export { ModelCheckpoint, type ModelCheckpointOptions } from './callbacks/model-checkpoint';
export * from './lit-ema';
export { LogFolder } from './log-folder';
export { CsvLogger } from './loggers/csv';
export { JsonLinesLogger } from './loggers/json-lines';
export { type Logger, type LogPlace, MetricsLogger } from './loggers/logger';
export { TensorBoardLogger } from './loggers/tensorboard';
export type { Metrics } from './metrics';
export * from './optimizer';
export type { TrainProgress } from './progress';
export { EventWriter } from './tensorboard/event-writer';
export { type FitOptions, Trainer } from './trainer';
export type {
  BatchLimit,
  FitResult,
  GradientClipping,
  LearningRateSchedule,
  StopReason,
  TrainerOptions,
} from './trainer-options';
export { TrainingRun, type TrainingRunOptions } from './training-run';
