/**
 * The `lightning` section: trainer arguments, logger, checkpoints and callbacks, with the defaults that the reference's main.py
 * merges below what a config says.
 */
import { z } from 'zod';
import type { ConfigMap } from './node';
import type { Problem } from './problems';
import { type Checked, checkNode, checkValue, type ResolvedNode } from './resolve';
import { anything, count, either, flag, integer, number, oneOf, options, text } from './types';

/** A number of batches, or a fraction of all. */
const limit = () => z.number().min(0).nullable().optional();

/** Arguments of Lightning's Trainer that are refused or have no effect (lib/training/trainer-arguments.ts says why). */
const UNUSED_ARGUMENTS = `
  logger checkpoint_callback callbacks default_root_dir process_position num_nodes num_processes auto_select_gpus tpu_cores
  ipus log_gpu_memory progress_bar_refresh_rate track_grad_norm limit_predict_batches flush_logs_every_n_steps accelerator
  sync_batchnorm weights_summary weights_save_path truncated_bptt_steps profiler reload_dataloaders_every_n_epochs
  reload_dataloaders_every_epoch auto_lr_find replace_sampler_ddp auto_scale_batch_size prepare_data_per_node plugins
  amp_backend amp_level distributed_backend move_metrics_to_cpu multiple_trainloader_mode stochastic_weight_avg
`
  .trim()
  .split(/\s+/);

/** The arguments of PyTorch Lightning 1.4's Trainer. */
export const trainerSchema = options({
  max_epochs: integer(-1).nullable().optional(),
  min_epochs: integer(0).nullable().optional(),
  max_steps: integer(-1).nullable().optional(),
  /** Seconds, or 'days:hours:minutes:seconds'. */
  max_time: either('seconds or text', z.number().positive(), text()).nullable().optional(),
  min_steps: integer(0).nullable().optional(),
  accumulate_grad_batches: count().optional(),
  gradient_clip_val: number().nullable().optional(),
  gradient_clip_algorithm: oneOf('norm', 'value').optional(),
  precision: either('16, 32, 64 or bf16', z.literal([16, 32, 64]), oneOf('bf16')).optional(),
  limit_train_batches: limit(),
  limit_val_batches: limit(),
  limit_test_batches: limit(),
  overfit_batches: limit(),
  val_check_interval: limit(),
  check_val_every_n_epoch: integer(1).optional(),
  num_sanity_val_steps: integer(-1).optional(),
  log_every_n_steps: integer(1).optional(),
  fast_dev_run: either('true, false or a number of batches', flag(), integer(0)).optional(),
  resume_from_checkpoint: text().nullable().optional(),
  benchmark: flag().optional(),
  deterministic: flag().optional(),
  terminate_on_nan: flag().optional(),
  gpus: either('a number, a list or text such as "0,"', integer(-1), text(), z.array(integer(0)))
    .nullable()
    .optional(),
  devices: anything().optional(),
  ...Object.fromEntries(UNUSED_ARGUMENTS.map((name) => [name, anything().optional()])),
});
export type TrainerArguments = z.output<typeof trainerSchema>;
/** The names of all of Trainer's arguments. */
export const TRAINER_ARGUMENTS: readonly string[] = Object.keys(trainerSchema.shape);

/** What main.py puts below the config's own callbacks. A callback of the same name may give only the params that differ. */
const DEFAULT_CALLBACKS: ConfigMap = {
  image_logger: { target: 'main.ImageLogger', params: { batch_frequency: 750, max_images: 4, clamp: true } },
  learning_rate_logger: { target: 'main.LearningRateMonitor', params: { logging_interval: 'step' } },
  cuda_callback: { target: 'main.CUDACallback' },
};
/** Added only when the config names it. */
const TRAINSTEP_CHECKPOINTS: ConfigMap = {
  target: 'pytorch_lightning.callbacks.ModelCheckpoint',
  params: {
    filename: '{epoch:06}-{step:09}',
    verbose: true,
    save_top_k: -1,
    every_n_train_steps: 10000,
    save_weights_only: true,
  },
};
const DEFAULT_LOGGER: ConfigMap = { target: 'pytorch_lightning.loggers.TestTubeLogger', params: { name: 'testtube' } };

/** The `lightning` section with every option filled in. */
export interface ResolvedLightning {
  trainer: TrainerArguments;
  logger: ResolvedNode;
  /** The checkpoint callback: `last.ckpt` always, and the best three when the model names what it monitors. */
  modelcheckpoint: ResolvedNode;
  /** By name: the defaults first, then the config's own, in order. */
  callbacks: Map<string, ResolvedNode>;
}

const part = () => anything().optional();
const sections = options({ trainer: part(), logger: part(), modelcheckpoint: part(), callbacks: part() });

/**
 * Checks the section and merges main.py's defaults below it. Log folders are not known here: `dirpath` and `save_dir` are
 * null or '' where the config does not give them.
 * @param monitor the model's `monitor`
 */
export function checkLightning(section: unknown, monitor: string | null): Checked<ResolvedLightning> {
  const problems: Problem[] = [];
  const take = <T>(checked: Checked<T>, ...path: string[]): T | undefined => {
    problems.push(...checked.problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] })));
    return checked.value;
  };
  const given = take(checkValue(sections, section ?? {})) ?? {};
  const node = (defaults: ConfigMap, own: unknown, ...path: string[]) =>
    take(checkNode(overlay(defaults, own)), ...path) as ResolvedNode;

  const trainer = take(checkValue(trainerSchema, given.trainer ?? {}), 'trainer');
  const logger = node(overlay(DEFAULT_LOGGER, { params: { save_dir: '' } }) as ConfigMap, given.logger, 'logger');
  const callbacks = new Map<string, ResolvedNode>();
  // main.py knows the checkpoint callback under a second name, which wins.
  const { checkpoint_callback, ...own } = (given.callbacks ?? {}) as Record<string, unknown>;
  const checkpoint = overlay(overlay(defaultCheckpoint(monitor), given.modelcheckpoint), checkpoint_callback);
  const modelcheckpoint = take(checkNode(checkpoint), 'modelcheckpoint') as ResolvedNode;
  // It belongs to a run that is resumed; the reference drops it from others.
  if (!trainer?.resume_from_checkpoint) delete own.ignore_keys_callback;
  if (given.callbacks != null && (typeof given.callbacks !== 'object' || Array.isArray(given.callbacks))) {
    problems.push({ path: ['callbacks'], message: 'expected a mapping of names to callbacks' });
  } else {
    for (const name of new Set([...Object.keys(DEFAULT_CALLBACKS), ...Object.keys(own)])) {
      const defaults = name === 'metrics_over_trainsteps_checkpoint' ? TRAINSTEP_CHECKPOINTS : DEFAULT_CALLBACKS[name];
      callbacks.set(name, node((defaults ?? {}) as ConfigMap, own[name], 'callbacks', name));
    }
  }
  if (problems.length > 0) return { problems };
  return { value: { trainer: trainer as TrainerArguments, logger, modelcheckpoint, callbacks }, problems: [] };
}

function defaultCheckpoint(monitor: string | null): ConfigMap {
  const watched: ConfigMap = monitor === null ? {} : { monitor, save_top_k: 3 };
  return {
    target: 'pytorch_lightning.callbacks.ModelCheckpoint',
    params: { filename: '{epoch:06}', verbose: true, save_last: true, ...watched },
  };
}

/** Plain merge of mappings: the second one wins. */
function overlay(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isMapping(base) || !isMapping(over)) return over;
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = overlay(base[key], value);
  return merged;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
