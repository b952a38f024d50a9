/** From the arguments of Lightning's Trainer (`lightning.trainer`, or options such as `--max_epochs`) to a run of this library. */
import type { TrainerArguments } from '../config/lightning';
import { LdmError } from '../errors';
import type { BatchLimit, TrainerOptions } from './trainer-options';

/** What the arguments come to. */
export interface TrainerSetup {
  options: Omit<TrainerOptions, 'logdir' | 'learningRate'>;
  /** The GPU that `gpus` names: 'cuda:0', ...; null: none is named. */
  device: string | null;
  /** A few batches of everything, and no file is written. */
  fastDevRun: boolean;
  /** Whether training data are shuffled. */
  shuffle: boolean;
  /** `resume_from_checkpoint`. */
  checkpoint: string | null;
  backend: { benchmark: boolean; deterministic: boolean };
  /** Lines for the user about arguments without effect. */
  notes: string[];
}

/** Arguments that would change the result but are not there: better an error than another result. */
const UNSUPPORTED: Record<string, { isGiven: (value: unknown) => boolean; instead: string }> = {
  num_nodes: { isGiven: (n) => Number(n) > 1, instead: 'Training runs on one machine.' },
  num_processes: { isGiven: (n) => Number(n) > 1, instead: 'Training runs in one process.' },
  tpu_cores: { isGiven: Boolean, instead: 'Use the CPU or an NVIDIA GPU.' },
  ipus: { isGiven: Boolean, instead: 'Use the CPU or an NVIDIA GPU.' },
  truncated_bptt_steps: { isGiven: (n) => Number(n) > 0, instead: 'It is for recurrent networks.' },
  auto_lr_find: { isGiven: Boolean, instead: 'Set model.base_learning_rate.' },
  auto_scale_batch_size: { isGiven: Boolean, instead: 'Set data.params.batch_size.' },
  stochastic_weight_avg: { isGiven: Boolean, instead: 'Diffusion models average their weights with use_ema.' },
};

/** Arguments that are accepted, and why they do nothing. */
const WITHOUT_EFFECT: Record<string, string> = {
  accelerator: 'training runs in one process',
  distributed_backend: 'training runs in one process',
  plugins: 'training runs in one process',
  sync_batchnorm: 'training runs on one device',
  auto_select_gpus: 'name one with gpus or --device',
  track_grad_norm: 'gradient norms are not logged',
  log_gpu_memory: 'memory is shown with the progress',
  profiler: 'use a profiler of the system',
  logger: 'use lightning.logger',
  checkpoint_callback: 'use lightning.modelcheckpoint',
  callbacks: 'use lightning.callbacks',
  default_root_dir: 'use -l/--logdir',
  weights_save_path: 'use lightning.modelcheckpoint.params.dirpath',
  reload_dataloaders_every_epoch: 'the files of a data set are listed once',
  reload_dataloaders_every_n_epochs: 'the files of a data set are listed once',
  limit_predict_batches: 'there is no prediction loop',
};
/** Of those, values that ask for nothing. */
const ASKS_NOTHING = new Set<unknown>([null, undefined, false, '', -1, 0, 'ddp', true]);

/**
 * @param isFloat tells whether an argument's number was written as a float: `1.0` is all batches, `1` is one
 * @throws LdmError ERR_CONFIG for arguments that this trainer does not have
 */
export function trainerSetup(given: TrainerArguments, isFloat: (name: string) => boolean): TrainerSetup {
  const all: Record<string, unknown> = given;
  for (const [name, { isGiven, instead }] of Object.entries(UNSUPPORTED))
    if (isGiven(all[name]))
      throw new LdmError('ERR_CONFIG', `lightning.trainer.${name}=${all[name]} is not supported. ${instead}`);
  const batches = (name: 'limit_train_batches' | 'limit_val_batches' | 'limit_test_batches' | 'val_check_interval') =>
    batchLimit(given[name], isFloat(name), name);
  const overfit = batchLimit(given.overfit_batches || null, isFloat('overfit_batches'), 'overfit_batches');
  const options: TrainerSetup['options'] = {
    maxEpochs: limit(given.max_epochs),
    maxSteps: limit(given.max_steps),
    minEpochs: given.min_epochs ?? (given.min_steps == null ? 1 : 0),
    minSteps: given.min_steps ?? 0,
    maxTime: secondsOf(given.max_time, 'lightning.trainer.max_time'),
    accumulateGradBatches: given.accumulate_grad_batches ?? 1,
    gradientClipping: given.gradient_clip_val
      ? { value: given.gradient_clip_val, algorithm: given.gradient_clip_algorithm ?? 'norm' }
      : null,
    limitTrainBatches: overfit ?? batches('limit_train_batches'),
    limitValBatches: overfit ?? batches('limit_val_batches'),
    limitTestBatches: overfit ?? batches('limit_test_batches'),
    valCheckInterval: batches('val_check_interval'),
    checkValEveryNEpoch: given.check_val_every_n_epoch ?? 1,
    numSanityValSteps: given.num_sanity_val_steps ?? 2,
    logEveryNSteps: given.log_every_n_steps ?? 1,
    precision: precisionOf(given.precision),
  };
  const fast = Number(given.fast_dev_run ?? 0);
  return {
    options: fast > 0 ? { ...options, ...fastDevRun(fast) } : options,
    device: deviceOf(given.gpus ?? given.devices),
    fastDevRun: fast > 0,
    shuffle: overfit === null,
    checkpoint: given.resume_from_checkpoint ?? null,
    backend: { benchmark: given.benchmark ?? false, deterministic: given.deterministic ?? false },
    notes: Object.entries(WITHOUT_EFFECT)
      .filter(([name]) => !ASKS_NOTHING.has(all[name]))
      .map(([name, why]) => `lightning.trainer.${name} has no effect: ${why}.`),
  };
}

function fastDevRun(batches: number): Partial<TrainerOptions> {
  return {
    maxSteps: batches,
    maxEpochs: 1,
    limitTrainBatches: batches,
    limitValBatches: batches,
    limitTestBatches: batches,
    valCheckInterval: null,
    checkValEveryNEpoch: 1,
    numSanityValSteps: 0,
    saveLast: false,
  };
}

/** Lightning writes "no limit" as null or -1. */
function limit(value: number | null | undefined): number | null {
  return value == null || value < 0 ? null : value;
}

/** Up to 1 and written as a float it is a part of the batches, else a number of them. */
function batchLimit(value: number | null | undefined, float: boolean, name: string): BatchLimit | null {
  if (value == null || (value === 1 && float)) return null;
  if (value < 1 && value > 0) return { fraction: value };
  if (Number.isInteger(value)) return value;
  throw new LdmError(
    'ERR_CONFIG',
    `Expected lightning.trainer.${name} as a number of batches or as a part of them up to 1.0 but found ${value}.`,
  );
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

/** The one GPU of `gpus`: a number of them, or their indices as a list or as text such as "0,". */
function deviceOf(gpus: unknown): string | null {
  if (gpus == null || gpus === 0 || gpus === '') return null;
  const indices = gpuIndices(gpus);
  if (indices === undefined || indices.some((index) => !Number.isInteger(index) || index < 0))
    throw new LdmError(
      'ERR_CONFIG',
      `Expected lightning.trainer.gpus as a number of GPUs or as indices such as "0," but found ${JSON.stringify(gpus)}.`,
    );
  if (indices.length > 1)
    throw new LdmError(
      'ERR_CONFIG',
      `lightning.trainer.gpus=${gpus} names ${indices.length} GPUs, but training runs on one. Use gpus="${indices[0]}," and, for the same batches and learning rate, accumulate_grad_batches=${indices.length}.`,
    );
  return indices.length === 0 ? null : `cuda:${indices[0]}`;
}

function gpuIndices(gpus: unknown): number[] | undefined {
  if (Array.isArray(gpus)) return gpus.map(Number);
  // -1 means all of them: of one machine at least the first.
  if (typeof gpus === 'number') return gpus < 0 ? [0] : Array.from({ length: gpus }, (_, i) => i);
  if (typeof gpus !== 'string') return undefined;
  return gpus.trim() === '-1'
    ? [0]
    : gpus
        .split(',')
        .filter((part) => part.trim() !== '')
        .map(Number);
}

/**
 * Seconds of Lightning's `max_time`: a number, or 'days:hours:minutes:seconds'.
 * @throws LdmError ERR_CONFIG for anything else
 */
export function secondsOf(value: unknown, name: string): number | null {
  if (value == null) return null;
  if (typeof value === 'number' && value > 0) return value;
  const parts = typeof value === 'string' ? /^(\d+):(\d+):(\d+):(\d+)$/.exec(value) : null;
  if (!parts)
    throw new LdmError(
      'ERR_CONFIG',
      `Expected ${name} as seconds or "days:hours:minutes:seconds" but found ${JSON.stringify(value)}.`,
    );
  const [days, hours, minutes, seconds] = parts.slice(1).map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}
