/** What the trainer needs of a model. AutoencoderKL and LatentDiffusion have it. */
import type { CallOptions } from '../job';
import type { Module } from '../models/module';
import type { Tensor } from '../tensor';
import type { Metrics } from './metrics';

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
  /** Whether the optimizers step after this micro-batch. */
  step: boolean;
  /** Micro-batches of one step: the loss is divided by it. */
  accumulate: number;
}

/** A model that can be trained: one call is one micro-batch with all of its optimizers, in the reference's order. */
export interface TrainableModel extends Module {
  trainBatch(args: TrainBatchArgs, options?: CallOptions): Promise<{ log: Metrics }>;
  validateBatch(
    args: Pick<TrainBatchArgs, 'batch' | 'batchIdx' | 'globalStep'>,
    options?: CallOptions,
  ): Promise<{ log: Metrics }>;
  /** Creates the optimizers. */
  configureOptimizers(options: { learningRate: number }): Promise<void>;
  setLearningRates(rates: readonly number[]): Promise<void>;
  /** torch's `state_dict()` of each optimizer, with live tensors. */
  optimizerStates(): Promise<unknown[]>;
  loadOptimizerStates(states: readonly unknown[]): Promise<void>;
  /** Pictures [N, C, H, W] by name. */
  logImages(
    batch: Record<string, unknown>,
    options?: CallOptions & Record<string, unknown>,
  ): Promise<Record<string, Tensor>>;
}

/** Whether a model has what the trainer needs. */
export function isTrainable(model: Module): model is TrainableModel {
  const methods = ['trainBatch', 'validateBatch', 'configureOptimizers', 'setLearningRates', 'optimizerStates'];
  return methods.every((name) => typeof (model as unknown as Record<string, unknown>)[name] === 'function');
}
