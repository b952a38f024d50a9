/** From the checked `lightning` section to what the trainer takes: arguments and callbacks. */
import path from 'node:path';
import type { ResolvedNode } from '../config';
import type { ResolvedLightning, TrainerArguments } from '../config/lightning';
import type { ImageLoggerParams, ModelCheckpointParams } from '../config/targets/callbacks';
import { LdmError } from '../errors';
import type { Callback } from './callbacks/callback';
import { ImageLogger } from './callbacks/image-logger';
import { ModelCheckpoint } from './callbacks/model-checkpoint';
import type { LogFolder } from './log-folder';
import type { TrainerOptions } from './trainer';

/** Callbacks with nothing to do here: rates are logged anyway, and the log folder is made before. */
const BUILT_IN = ['main.LearningRateMonitor', 'main.CUDACallback', 'main.SetupCallback'];

/** Arguments that would change the training, but are not there: better an error than another result. */
const UNSUPPORTED = [
  'min_epochs',
  'min_steps',
  'gradient_clip_val',
  'limit_train_batches',
  'overfit_batches',
  'val_check_interval',
  'fast_dev_run',
] as const;

/**
 * The trainer's part of the section.
 * @throws LdmError ERR_CONFIG for arguments that this trainer does not have
 */
export function trainerOptions(given: TrainerArguments): Omit<TrainerOptions, 'logdir' | 'learningRate'> {
  for (const name of UNSUPPORTED)
    if (given[name]) throw new LdmError('ERR_CONFIG', `lightning.trainer.${name} is not supported. Remove it.`);
  return {
    ...(limit(given.max_epochs) === null ? {} : { maxEpochs: limit(given.max_epochs)! }),
    maxSteps: limit(given.max_steps),
    maxTime: secondsOf(given.max_time),
    accumulateGradBatches: given.accumulate_grad_batches ?? 1,
    checkValEveryNEpoch: given.check_val_every_n_epoch ?? 1,
    limitValBatches: given.limit_val_batches ?? null,
    logEveryNSteps: given.log_every_n_steps ?? 1,
    precision: precisionOf(given.precision),
  };
}

/** Lightning writes "no limit" as null or -1. */
function limit(value: number | null | undefined): number | null {
  return value == null || value < 0 ? null : value;
}

function precisionOf(precision: TrainerArguments['precision']): TrainerOptions['precision'] {
  switch (precision) {
    case 'bf16':
      return 'bf16';
    case 16:
      return 'fp16';
    case 64:
      throw new LdmError('ERR_CONFIG', 'lightning.trainer.precision 64 is not supported; expected 32, 16 or bf16.');
    default:
      return 'fp32';
  }
}

/** Seconds of Lightning's `max_time`: a number, or 'days:hours:minutes:seconds'. */
function secondsOf(value: unknown): number | null {
  if (value == null) return null;
  if (typeof value === 'number' && value > 0) return value;
  const parts = typeof value === 'string' ? /^(\d+):(\d+):(\d+):(\d+)$/.exec(value) : null;
  if (!parts)
    throw new LdmError(
      'ERR_CONFIG',
      `Expected lightning.trainer.max_time as seconds or "days:hours:minutes:seconds" but found ${JSON.stringify(value)}.`,
    );
  const [days, hours, minutes, seconds] = parts.slice(1).map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/**
 * The callbacks of a run.
 * @param options.validated whether there is validation data: without it a `val/...` metric cannot be watched
 * @throws LdmError ERR_UNKNOWN_TARGET for one that is not available
 */
export function makeCallbacks(
  lightning: ResolvedLightning,
  folder: LogFolder,
  options: { validated: boolean },
): Callback[] {
  const nodes: [string, ResolvedNode][] = [['modelcheckpoint', lightning.modelcheckpoint], ...lightning.callbacks];
  return nodes.flatMap(([name, node]) => makeCallback(name, node, folder, options.validated));
}

function makeCallback(name: string, node: ResolvedNode, folder: LogFolder, validated: boolean): Callback[] {
  if (BUILT_IN.includes(node.target)) return [];
  if (node.target === 'main.ImageLogger') {
    const { log_images_kwargs, ...rest } = node.params as ImageLoggerParams;
    return [new ImageLogger({ ...rest, log_images_kwargs: log_images_kwargs as Record<string, unknown> | null })];
  }
  if (node.target === 'pytorch_lightning.callbacks.ModelCheckpoint') {
    const p = node.params as ModelCheckpointParams;
    const watchable = p.monitor !== null && (validated || !p.monitor.startsWith('val'));
    const subfolder = name === 'metrics_over_trainsteps_checkpoint' ? 'trainstep_checkpoints' : '';
    return [
      new ModelCheckpoint({
        dirpath: p.dirpath ?? path.join(folder.checkpoints, subfolder),
        filename: p.filename ?? undefined,
        monitor: watchable ? p.monitor : null,
        save_top_k: watchable || p.monitor === null ? (p.save_top_k ?? undefined) : 1,
        mode: p.mode,
        save_last: p.save_last ?? undefined,
        every_n_train_steps: p.every_n_train_steps ?? undefined,
        every_n_epochs: p.every_n_epochs ?? p.period ?? p.every_n_val_epochs ?? undefined,
        save_weights_only: p.save_weights_only,
        verbose: p.verbose,
      }),
    ];
  }
  throw new LdmError(
    'ERR_UNKNOWN_TARGET',
    `The callback ${node.target} is not available. Remove lightning.callbacks.${name}.`,
  );
}
