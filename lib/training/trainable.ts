/**
 * What the trainer needs of a model: native methods under agreed names. AutoencoderKL, VQModel, DDPM and LatentDiffusion have them.
 * One call is one micro-batch with all of the model's optimizers, in the reference's order.
 */
import type { OptimizerState } from '../checkpoint';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { Module } from '../models/module';
import { Tensor } from '../tensor';
import type { Metrics } from './metrics';
import type { FirstMoment } from './optimizer';
import type { GradientClipping } from './trainer-options';

/** Where a micro-batch stands. */
export interface TrainBatchArgs {
  /** Tensors and texts under the reference's keys. */
  batch: Record<string, unknown>;
  /** Number of the batch within the epoch. */
  batchIdx: number;
  /** Optimizer steps done so far. */
  globalStep: number;
  /** Whether scalars are wanted: reading them costs a synchronization on a GPU. */
  log: boolean;
  /**
   * With `log`, on a GPU: do not wait for the scalars, but leave them there. Instead of ERR_NAN a step whose gradients are not finite
   * is left out on the device, and tells so when its log is read. Default false.
   */
  defer?: boolean;
  /** Whether the optimizers step after this micro-batch. */
  step: boolean;
  /** Micro-batches of one step: the loss is divided by it. */
  accumulate: number;
  /** Applied to the gradients of each optimizer before its step. Default: none. */
  clip?: GradientClipping | null;
  /**
   * Autoencoders: leave out the discriminator where nothing of it reaches the weights, which is so before `disc_start`. Weights,
   * optimizers and random numbers stay the same bit by bit; `d_weight`, `g_loss` and `logits_*` are not logged and BatchNorm's
   * running statistics of the discriminator stay. Default false.
   */
  skipIdle?: boolean;
  /**
   * Autoencoders: the discriminator sees the reconstructions of the autoencoder's turn, instead of such of a forward pass of its
   * own with the weights just stepped. Another training than the reference's, 1.3 times as fast. Default false.
   */
  reuseReconstructions?: boolean;
  /**
   * On the CPU, without accumulation, clipping and loss scaling: step each parameter within the backward pass, as soon as its own
   * gradient is there, and free that. The numbers are the same bit by bit, in less memory. But where a gradient is not finite
   * (with `log`: ERR_NAN, and it reaches no weight) or anything else ends the pass, some parameters have been stepped and others
   * not: see {@link Trainable.unfinishedStep}. Default false.
   */
  stepInBackward?: boolean;
}

/** What a micro-batch has logged. */
export interface StepLog {
  /** What the host knows. */
  log: Metrics;
  /** What is still on the device. */
  later?: LaterLog;
}

/** Scalars on a GPU in one tensor: the named ones, then one for each optimizer that is more than 0 where its step was left out. */
export interface LaterLog {
  names: readonly string[];
  values: Tensor;
}

/** The numbers of several logs, which are disposed of; waits for the device once. `unfit` tells whether a step was left out. */
export async function readLater(logs: readonly LaterLog[]): Promise<{ log: Metrics; unfit: boolean }[]> {
  using all = Tensor.cat(logs.map(({ values }) => values));
  const numbers = (await all.data()) as Float32Array;
  let next = 0;
  return logs.map(({ names, values }) => {
    const own = numbers.subarray(next, next + values.shape[0]);
    next += own.length;
    values.dispose();
    const log = Object.fromEntries(names.map((name, i) => [name, own[i]]));
    return { log, unfit: own.subarray(names.length).some((guard) => guard > 0) };
  });
}

/** A model with a method that makes pictures, as the reference's `log_images`. */
export interface LogsImages {
  /** Pictures [N, C, H, W] by name. */
  logImages(batch: Record<string, unknown>, options?: Record<string, unknown>): Promise<Record<string, Tensor>>;
}

/** What is logged of a step only; everything else is averaged over the epoch as well. */
const STEP_ONLY = /^(global_step|lr|lr_abs|lr-.*)$/;
/** AutoencoderKL averages its two losses only. */
const KL_AVERAGED = /^(aeloss|discloss)$/;

/** The training side of a model. */
export class Trainable {
  readonly model: Module;

  constructor(model: Module) {
    this.model = model;
  }

  /**
   * Creates the optimizers.
   * @returns the learning rate of each: a model may give them different ones (`lr_g_factor`)
   * @throws LdmError ERR_CONFIG when the model cannot be trained
   */
  async configureOptimizers(learningRate: number, firstMoment?: FirstMoment): Promise<number[]> {
    try {
      await this.model.call('configureOptimizers', { learningRate, firstMoment });
    } catch (error) {
      if (!LdmError.is(error) || error.code !== 'ERR_UNKNOWN_METHOD') throw error;
      throw new LdmError(
        'ERR_CONFIG',
        'This model cannot be trained. Use AutoencoderKL, VQModel, DDPM or LatentDiffusion.',
      );
    }
    const states = await this.optimizerStates();
    disposeOptimizerStates(states);
    return states.map(({ param_groups: [group] }) => Number(group.lr));
  }

  /** Class and first moment's decay of the model's optimizers, as the reference's configure_optimizers has them. */
  get optimizerKind(): { name: 'Adam' | 'AdamW'; momentum: number } {
    const isAutoencoder = this.model.native.target.startsWith('ldm.models.autoencoder.');
    return isAutoencoder ? { name: 'Adam', momentum: 0.5 } : { name: 'AdamW', momentum: 0.9 };
  }

  /** Whether the reference logs a training metric by step and as the mean over the epoch. */
  isForked(metric: string): boolean {
    const averaged = this.model.native.target === 'ldm.models.autoencoder.AutoencoderKL' ? KL_AVERAGED : undefined;
    return averaged ? averaged.test(metric) : !STEP_ONLY.test(metric);
  }

  /** Runs one micro-batch. Returns the logged scalars: those that `defer` leaves on a GPU as {@link StepLog.later}. */
  async trainBatch(args: TrainBatchArgs, options: CallOptions): Promise<StepLog> {
    const { log, later } = await this.model.call('trainBatch', { ...args }, options);
    return later === undefined ? { log } : { log, later };
  }

  async validateBatch(
    args: Pick<TrainBatchArgs, 'batch' | 'batchIdx' | 'globalStep'>,
    options: CallOptions,
  ): Promise<Metrics> {
    return (await this.model.call('validateBatch', { ...args }, options)).log;
  }

  /** One rate for each optimizer. */
  async setLearningRates(rates: readonly number[]): Promise<void> {
    await this.model.call('setLearningRates', { rates });
  }

  /** torch's `state_dict()` of each optimizer; the tensors are the live ones. */
  async optimizerStates(): Promise<OptimizerState[]> {
    return (await this.model.call('optimizerStates')).states;
  }

  /** @throws LdmError ERR_INVALID_ARGUMENT when they are of other parameters */
  async loadOptimizerStates(states: readonly OptimizerState[]): Promise<void> {
    await this.model.call('loadOptimizerStates', { states });
  }

  /** State of float16's loss scaling in the form of torch's GradScaler; null where losses were never scaled. */
  async scalerState(): Promise<Record<string, number> | null> {
    return (await this.model.call('stepperState')).scaler;
  }

  /**
   * Whether the last {@link trainBatch} failed in the middle of an optimizer's step: how many of its parameters were stepped. Null
   * where all or none were.
   */
  async unfinishedStep(): Promise<{ stepped: number; of: number } | null> {
    return (await this.model.call('stepperState')).unfinished;
  }

  async loadScalerState(scaler: Readonly<Record<string, number>>): Promise<void> {
    await this.model.call('loadStepperState', { scaler });
  }

  /** The pictures of a batch, or null for a model that makes none. */
  async logImages(
    batch: Record<string, unknown>,
    options: Record<string, unknown>,
  ): Promise<Record<string, Tensor> | null> {
    const model = this.model as Module & Partial<LogsImages>;
    return typeof model.logImages === 'function' ? model.logImages(batch, options) : null;
  }
}

/** Frees the handles of optimizer states; the optimizers keep what they refer to. */
export function disposeOptimizerStates(states: readonly OptimizerState[]): void {
  for (const { state } of states)
    for (const moments of Object.values(state))
      for (const value of Object.values(moments)) if (value instanceof Tensor) value.dispose();
}
