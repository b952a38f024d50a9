/** The `lightning` section of a config with main.py's defaults: trainer arguments and callbacks. */
import { type Config, type ConfigMap, type ResolvedParams, resolveNode } from '../config';
import { checkValue, problemsOf } from '../config/resolve';
import type { ImageLoggerParams, ModelCheckpointParams } from '../config/targets/callbacks';
import { type TrainerParams, trainer } from '../config/targets/trainer';
import { LdmError } from '../errors';
import type { Callback } from './callbacks/callback';
import { ImageLogger } from './callbacks/image-logger';
import { ModelCheckpoint } from './callbacks/model-checkpoint';
import type { LogFolder } from './log-folder';

/** Callbacks that need nothing here: rates are logged anyway, and there is no profiler of CUDA memory. */
const BUILT_IN = ['main.LearningRateMonitor', 'main.CUDACallback', 'main.SetupCallback'];

const STEP_CHECKPOINTS = 'metrics_over_trainsteps_checkpoint';

/**
 * Arguments of the trainer.
 * @throws LdmError ERR_CONFIG with the key path of what is wrong
 */
export function trainerParams(config: Config): TrainerParams {
  const given = config.get('lightning.trainer') ?? {};
  const checked = checkValue(trainer, given);
  if (checked.value) return checked.value as unknown as TrainerParams;
  throw problemsOf(given, checked.problems);
}

/**
 * The callbacks of a run: main.py's defaults (images every 750 steps, checkpoints by epoch, the best three by the model's
 * monitor, last.ckpt), changed and extended by the config.
 * @throws LdmError ERR_CONFIG for wrong ones, ERR_UNKNOWN_TARGET for one that is not available
 */
export function makeCallbacks(config: Config, folder: LogFolder, monitor: string | null): Callback[] {
  const own = asMap(config.get('lightning.callbacks'));
  const images = { batch_frequency: 750, max_images: 4, clamp: true };
  const nodes: ConfigMap = {
    checkpoint_callback: merged(
      {
        target: 'pytorch_lightning.callbacks.ModelCheckpoint',
        params: {
          dirpath: folder.checkpoints,
          filename: '{epoch:06}',
          verbose: true,
          save_last: true,
          ...(monitor === null ? {} : { monitor, save_top_k: 3 }),
        },
      },
      config.get('lightning.modelcheckpoint'),
    ),
    image_logger: merged({ target: 'main.ImageLogger', params: images }, own.image_logger),
  };
  if (STEP_CHECKPOINTS in own)
    nodes[STEP_CHECKPOINTS] = merged(
      {
        target: 'pytorch_lightning.callbacks.ModelCheckpoint',
        params: {
          dirpath: `${folder.checkpoints}/trainstep_checkpoints`,
          filename: '{epoch:06}-{step:09}',
          verbose: true,
          save_top_k: -1,
          every_n_train_steps: 10000,
          save_weights_only: true,
        },
      },
      own[STEP_CHECKPOINTS],
    );
  for (const [name, node] of Object.entries(own)) nodes[name] ??= node;
  return Object.values(nodes).flatMap((node) => makeCallback(resolveNode(node, 'callback')));
}

function makeCallback({ target, params }: { target: string; params: ResolvedParams }): Callback[] {
  if (BUILT_IN.includes(target)) return [];
  if (target === 'main.ImageLogger') {
    const { log_images_kwargs, ...rest } = params as ImageLoggerParams;
    return [new ImageLogger({ ...rest, log_images_kwargs: log_images_kwargs as Record<string, unknown> | null })];
  }
  if (target === 'pytorch_lightning.callbacks.ModelCheckpoint') {
    const p = params as ModelCheckpointParams;
    return [
      new ModelCheckpoint({
        dirpath: p.dirpath!,
        filename: p.filename ?? undefined,
        monitor: p.monitor,
        save_top_k: p.save_top_k ?? undefined,
        mode: p.mode,
        save_last: p.save_last ?? undefined,
        every_n_train_steps: p.every_n_train_steps ?? undefined,
        save_weights_only: p.save_weights_only,
        verbose: p.verbose,
      }),
    ];
  }
  throw new LdmError(
    'ERR_UNKNOWN_TARGET',
    `The callback ${target} is not available. Remove it from lightning.callbacks.`,
  );
}

/** `over` wins, params are merged key by key. */
function merged(base: { target: string; params: ConfigMap }, over: unknown): ConfigMap {
  const { target, params } = asMap(over);
  return { target: target ?? base.target, params: { ...base.params, ...asMap(params) } };
}

function asMap(value: unknown): ConfigMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ConfigMap) : {};
}
