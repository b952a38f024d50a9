/** What the `lightning` section of a config names: callbacks and loggers (main.py, PyTorch Lightning 1.4). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { anything, count, either, flag, integer, number, oneOf, options, text } from '../types';

export const imageLogger = options({
  /** Batches between two sets of images. */
  batch_frequency: count(),
  max_images: integer(0),
  clamp: flag().default(true),
  /** Also at steps 1, 2, 4, 8, ... below `batch_frequency`. */
  increase_log_steps: flag().default(true),
  rescale: flag().default(true),
  disabled: flag().default(false),
  /** Count batches of the epoch instead of global steps. */
  log_on_batch_idx: flag().default(false),
  log_first_step: flag().default(false),
  /** Arguments of the model's logImages. */
  log_images_kwargs: anything().default(null),
});
export type ImageLoggerParams = z.output<typeof imageLogger>;

export const modelCheckpoint = options({
  dirpath: text().nullable().default(null),
  filename: text().nullable().default(null),
  monitor: text().nullable().default(null),
  verbose: flag().default(false),
  save_last: flag().nullable().default(null),
  /** How many of the best to keep; -1: all, 0: none. */
  save_top_k: integer(-1).nullable().default(null),
  save_weights_only: flag().default(false),
  mode: oneOf('min', 'max').default('min'),
  auto_insert_metric_name: flag().default(true),
  every_n_train_steps: integer(0).nullable().default(null),
  train_time_interval: anything().default(null),
  every_n_epochs: integer(0).nullable().default(null),
  save_on_train_epoch_end: flag().nullable().default(null),
  /** Older names of `every_n_epochs`. */
  period: integer(0).nullable().default(null),
  every_n_val_epochs: integer(0).nullable().default(null),
});
export type ModelCheckpointParams = z.output<typeof modelCheckpoint>;

const learningRateMonitor = options({
  logging_interval: oneOf('step', 'epoch').nullable().default(null),
  log_momentum: flag().default(false),
});
export type LearningRateMonitorParams = z.output<typeof learningRateMonitor>;
const testTubeLogger = options({
  save_dir: text(),
  name: text().default('default'),
  description: text().nullable().default(null),
  debug: flag().default(false),
  version: integer(0).nullable().default(null),
  create_git_tag: flag().default(false),
  log_graph: flag().default(false),
  prefix: text().default(''),
});
const fileLogger = options({
  save_dir: text(),
  name: text().nullable().default('default'),
  version: either('an integer or text', integer(0), text()).nullable().default(null),
  prefix: text().default(''),
  log_graph: flag().default(false),
  default_hp_metric: flag().default(true),
  sub_dir: text().nullable().default(null),
  flush_logs_every_n_steps: integer(1).default(100),
});
const wandbLogger = options({
  name: text().nullable().default(null),
  save_dir: text().nullable().default(null),
  offline: flag().default(false),
  id: text().nullable().default(null),
  anonymous: flag().nullable().default(null),
  version: text().nullable().default(null),
  project: text().nullable().default(null),
  log_model: either('true, false or "all"', flag(), oneOf('all')).default(false),
  prefix: text().nullable().default(''),
});
const earlyStopping = options({
  monitor: text().nullable().default(null),
  min_delta: number().default(0),
  patience: integer(0).default(3),
  verbose: flag().default(false),
  mode: oneOf('min', 'max').default('min'),
  strict: flag().default(true),
  check_finite: flag().default(true),
  stopping_threshold: number().nullable().default(null),
  divergence_threshold: number().nullable().default(null),
  check_on_train_epoch_end: flag().default(true),
});
export type EarlyStoppingParams = z.output<typeof earlyStopping>;

const callback = { family: 'callback' } as const;
registerTarget('main.ImageLogger', imageLogger, callback);
registerTarget('main.CUDACallback', options({}), callback);
registerTarget('main.LearningRateMonitor', learningRateMonitor, callback);
registerTarget('pytorch_lightning.callbacks.LearningRateMonitor', learningRateMonitor, {
  ...callback,
  aliasOf: 'main.LearningRateMonitor',
});
registerTarget('pytorch_lightning.callbacks.ModelCheckpoint', modelCheckpoint, callback);
registerTarget('pytorch_lightning.callbacks.EarlyStopping', earlyStopping, callback);
registerTarget('pytorch_lightning.loggers.TestTubeLogger', testTubeLogger, { family: 'logger' });
registerTarget('pytorch_lightning.loggers.CSVLogger', fileLogger, { family: 'logger' });
registerTarget('pytorch_lightning.loggers.TensorBoardLogger', fileLogger, { family: 'logger' });
registerTarget('pytorch_lightning.loggers.WandbLogger', wandbLogger, { family: 'logger' });
