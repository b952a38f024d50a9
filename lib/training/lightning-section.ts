/** From the checked `lightning` section to the callbacks of a run. */
import path from 'node:path';
import type { ResolvedNode } from '../config';
import type { ResolvedLightning } from '../config/lightning';
import type {
  EarlyStoppingParams,
  ImageLoggerParams,
  LearningRateMonitorParams,
  ModelCheckpointParams,
} from '../config/targets/callbacks';
import { LdmError } from '../errors';
import type { Callback } from './callbacks/callback';
import { EarlyStopping } from './callbacks/early-stopping';
import { ImageLogger } from './callbacks/image-logger';
import { LearningRateMonitor } from './callbacks/learning-rate-monitor';
import { ModelCheckpoint } from './callbacks/model-checkpoint';
import { secondsOf } from './trainer-arguments';

/** What callbacks need to know of their run. */
export interface CallbackContext {
  /** Where checkpoints go that name no folder. */
  checkpoints: string;
  /** Whether there is validation data: without it a `val/...` metric cannot be watched. */
  validated: boolean;
  /** Whether validation is at the end of epochs only. */
  validatesAtEpochEnd: boolean;
  onInfo?: (message: string) => void;
}

type Maker = (params: unknown, name: string, context: CallbackContext) => Callback[];

const MAKERS: Record<string, Maker> = {
  // The log folder is made before, memory is shown with the progress.
  'main.SetupCallback': () => [],
  'main.CUDACallback': () => [],
  'main.LearningRateMonitor': (params) => [new LearningRateMonitor(params as LearningRateMonitorParams)],
  'main.ImageLogger': (params) => {
    const { log_images_kwargs, ...rest } = params as ImageLoggerParams;
    return [new ImageLogger({ ...rest, log_images_kwargs: log_images_kwargs as Record<string, unknown> | null })];
  },
  'pytorch_lightning.callbacks.EarlyStopping': (params) => [new EarlyStopping(params as EarlyStoppingParams)],
  'pytorch_lightning.callbacks.ModelCheckpoint': modelCheckpoint,
};

/**
 * The callbacks of a run, those that write checkpoints last, as Lightning orders them.
 * @throws LdmError ERR_UNKNOWN_TARGET for one that is not available, ERR_CONFIG for wrong combinations of options
 */
export function makeCallbacks(lightning: ResolvedLightning, context: CallbackContext): Callback[] {
  const nodes: [string, ResolvedNode][] = [...lightning.callbacks, ['modelcheckpoint', lightning.modelcheckpoint]];
  const callbacks = nodes.flatMap(([name, node]) => {
    const make = MAKERS[node.target];
    if (make) return make(node.params, name, context);
    throw new LdmError(
      'ERR_UNKNOWN_TARGET',
      `The callback ${node.target} is not available. Remove lightning.callbacks.${name}.`,
    );
  });
  const isCheckpoint = (callback: Callback) => callback instanceof ModelCheckpoint;
  return [...callbacks.filter((c) => !isCheckpoint(c)), ...callbacks.filter(isCheckpoint)];
}

function modelCheckpoint(params: unknown, name: string, context: CallbackContext): Callback[] {
  const { period, every_n_val_epochs, dirpath, monitor, ...p } = params as ModelCheckpointParams;
  const watchable = monitor !== null && (context.validated || !monitor.startsWith('val'));
  if (monitor !== null && !watchable)
    context.onInfo?.(`There is no validation data, so ${monitor} cannot be watched: the newest checkpoint is kept.`);
  const subfolder = name === 'metrics_over_trainsteps_checkpoint' ? 'trainstep_checkpoints' : '';
  return [
    new ModelCheckpoint({
      dirpath: dirpath ?? path.join(context.checkpoints, subfolder),
      filename: p.filename,
      auto_insert_metric_name: p.auto_insert_metric_name,
      monitor: watchable ? monitor : null,
      save_top_k: watchable || monitor === null ? (p.save_top_k ?? undefined) : 1,
      mode: p.mode,
      save_last: p.save_last ?? undefined,
      every_n_train_steps: p.every_n_train_steps,
      every_n_epochs: period ?? every_n_val_epochs ?? p.every_n_epochs,
      train_time_interval: secondsOf(p.train_time_interval, `lightning.callbacks.${name}.params.train_time_interval`),
      save_on_train_epoch_end: p.save_on_train_epoch_end ?? context.validatesAtEpochEnd,
      save_weights_only: p.save_weights_only,
      verbose: p.verbose,
    }),
  ];
}
