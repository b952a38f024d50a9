/** What a {@link Trainer} is told, and what it tells when it is done. */
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { LrScheduler } from '../models/lr-schedulers';
import type { Generator } from '../random';
import type { Callback } from './callbacks/callback';
import type { MetricsLogger } from './loggers/logger';
import type { Metrics } from './metrics';
import type { FirstMoment } from './optimizer';
import type { TrainProgress } from './progress';

/**
 * A factor on the learning rate.
 * @param step optimizer steps done
 * @param fraction how much of the run's steps or time is over, 0 to 1; 0 where nothing limits it
 */
export type LearningRateSchedule = (step: number, fraction: number) => number;

/** A number of batches, or a part (0 to 1) of those that there are. */
export type BatchLimit = number | { readonly fraction: number };

/** Gradients of each optimizer are clipped to this l2 norm, or each of their elements to this size. */
export interface GradientClipping {
  readonly value: number;
  readonly algorithm: 'norm' | 'value';
}

export interface TrainerOptions {
  /** Root of the log folder: callbacks write below it. */
  logdir: string;
  /** Learning rate, scaled already where that is wanted. The model may give its optimizers a multiple of it. */
  learningRate: number;
  /** The model's own schedule (torch's LambdaLR): its place is kept in checkpoints. Default: none. */
  lrScheduler?: LrScheduler | null;
  /** Another factor on the learning rate, which checkpoints do not keep. Default: constant 1. */
  schedule?: LearningRateSchedule | null;
  /** Epochs to train at most. Default as Lightning's: 1000, or no limit where `maxSteps` is given. */
  maxEpochs?: number | null;
  /** Optimizer steps to train at most, counted over resumed runs. Default: no limit. */
  maxSteps?: number | null;
  /** Epochs and steps that early stopping has to wait for. Default 1 and 0. */
  minEpochs?: number;
  minSteps?: number;
  /** Seconds to train at most in this run. Default: no limit. */
  maxTime?: number | null;
  /** Batches whose gradients are added before a step. Default 1. */
  accumulateGradBatches?: number;
  /** Default: none. */
  gradientClipping?: GradientClipping | null;
  /** Training batches of an epoch at most. Default: all. */
  limitTrainBatches?: BatchLimit | null;
  /** Validate in the middle of epochs: after so many batches, or after each such part of an epoch. Default: at the end. */
  valCheckInterval?: BatchLimit | null;
  /** Validate in every so many epochs. Default 1. */
  checkValEveryNEpoch?: number;
  /** Validation batches at most; 0: no validation. Default: all. */
  limitValBatches?: BatchLimit | null;
  /** Test batches at most; 0: no test. Default: all. */
  limitTestBatches?: BatchLimit | null;
  /** Validation batches that are tried before training, so that a mistake shows early; -1: all. Default 2. */
  numSanityValSteps?: number;
  /** Write metrics of every so many steps. Default 1. */
  logEveryNSteps?: number;
  /** Seed of everything random in training. Default 23, as main.py's. */
  seed?: number;
  /** Generator of training, where a stream is to be continued. Default: a new one of the seed. */
  generator?: Generator;
  /** Autocast; 'fp16' with loss scaling. Default 'fp32'. */
  precision?: CallOptions['precision'];
  /**
   * What to do when a loss or a gradient is not finite: 'error' (default) stops before its optimizer steps (but see `wholeSteps`),
   * 'skip' leaves that out and goes on. Of a GAN the first optimizer may have stepped when the second one's loss is found out.
   */
  onNan?: 'error' | 'skip';
  /**
   * Autoencoders: compute what the reference logs of the discriminator before `disc_start` (`d_weight`, `g_loss`, `logits_*`) and
   * its running statistics. Nothing of that reaches the weights, and a step takes 8 to 45 % longer. Default false.
   */
  exactLogs?: boolean;
  /** See {@link TrainBatchArgs.reuseReconstructions}. Default false. */
  reuseReconstructions?: boolean;
  /**
   * Have all gradients before any weight is stepped. By default, on the CPU, each weight is stepped as soon as its own gradient is
   * there, which saves the memory of the gradients; the numbers are the same. It makes a difference where a step fails in its
   * middle, by a gradient that is not finite: then some weights have been stepped, and the checkpoint of the failure is not
   * `last.ckpt` but `unfinished-step.ckpt`. Steps are always whole with `onNan: 'skip'`, accumulation, clipping, loss scaling and
   * on CUDA. Default false.
   */
  wholeSteps?: boolean;
  /** See {@link FirstMoment}. Default 'fp32'. */
  firstMoment?: FirstMoment;
  /** Leave a checkpoint at the end, and when training fails. Default true. */
  saveLast?: boolean;
  callbacks?: readonly Callback[];
  /** Where metrics go. Default: nowhere but to the callbacks. */
  logger?: MetricsLogger | null;
  /** Called after each optimizer step. */
  onProgress?: (progress: TrainProgress) => void;
  /** Called with lines for the user. */
  onInfo?: (message: string) => void;
}

/** Why {@link Trainer.fit} returned. */
export type StopReason = 'epochs' | 'steps' | 'time' | 'early stopping' | 'interrupted';

export interface FitResult {
  reason: StopReason;
  globalStep: number;
  epoch: number;
  /** Latest value of each metric. */
  metrics: Metrics;
  /** Steps left out because something was not finite. */
  skippedSteps: number;
}

type Optional = 'generator' | 'logger' | 'onProgress' | 'onInfo';
/** The options with every default filled in. */
export type FullTrainerOptions = Required<Omit<TrainerOptions, Optional>> & Pick<TrainerOptions, Optional>;

const DEFAULTS = {
  lrScheduler: null,
  schedule: null,
  maxEpochs: null,
  maxSteps: null,
  minEpochs: 1,
  minSteps: 0,
  maxTime: null,
  accumulateGradBatches: 1,
  gradientClipping: null,
  limitTrainBatches: null,
  valCheckInterval: null,
  checkValEveryNEpoch: 1,
  limitValBatches: null,
  limitTestBatches: null,
  numSanityValSteps: 2,
  logEveryNSteps: 1,
  seed: 23,
  precision: 'fp32',
  onNan: 'error',
  exactLogs: false,
  reuseReconstructions: false,
  wholeSteps: false,
  firstMoment: 'fp32',
  saveLast: true,
  callbacks: [],
} as const;

/** Fills in defaults; `undefined` counts as left out. */
export function fullTrainerOptions(options: TrainerOptions): FullTrainerOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const full = { ...DEFAULTS, ...(given as unknown as TrainerOptions) };
  const unlimited = full.maxSteps === null ? 1000 : Number.POSITIVE_INFINITY;
  return { ...full, maxEpochs: full.maxEpochs ?? unlimited };
}

/**
 * A limit as a number of batches.
 * @param total batches that there are
 * @param name of the option, for the error
 * @throws LdmError ERR_CONFIG when a fraction leaves no batch
 */
export function batchesOf(limit: BatchLimit | null, total: number, name: string): number {
  if (limit === null) return total;
  if (typeof limit === 'number') return Math.min(limit, total);
  if (!Number.isFinite(total) && limit.fraction < 1)
    throw new LdmError(
      'ERR_CONFIG',
      `${name} = ${limit.fraction} is a part of the batches, but how many there are is not known. Give a whole number.`,
    );
  const batches = limit.fraction === 1 ? total : Math.trunc(total * limit.fraction);
  if (batches === 0 && limit.fraction > 0)
    throw new LdmError(
      'ERR_CONFIG',
      `${name} = ${limit.fraction} of ${total} batches is less than one. Give at least ${1 / total}, or a whole number of batches.`,
    );
  return batches;
}
