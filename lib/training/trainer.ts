/**
 * Trainer: runs a model over a data set, as pytorch_lightning.Trainer does for the reference's main.py. It orchestrates
 * only: one native job is one micro-batch, with everything that the reference does in it.
 *
 * Counting follows Lightning 1.4: `globalStep` counts optimizer steps (an accumulated batch counts once, both optimizers
 * of a GAN together), and hooks see the number of the step that has just been made, from 0.
 */
import path from 'node:path';
import { batchOn, disposeBatch, type ImageBatch } from '../data/collate';
import type { DataLoader, LoadedBatch } from '../data/data-loader';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { Module } from '../models/module';
import { native } from '../native';
import { Generator } from '../random';
import type { BatchEvent, Callback, TrainerView } from './callbacks/callback';
import { MeanMetrics, type Metrics, type MetricsLogger } from './metrics';
import { remainingSeconds, Throughput, type TrainProgress } from './progress';
import { Trainable } from './trainable';
import { loadTrainingCheckpoint, type TrainingState, writeTrainingCheckpoint } from './training-checkpoint';

/**
 * A factor on the learning rate.
 * @param step optimizer steps done
 * @param fraction how much of the run's steps or time is over, 0 to 1; 0 where nothing limits it
 */
export type LearningRateSchedule = (step: number, fraction: number) => number;

export interface TrainerOptions {
  /** Root of the log folder: callbacks write below it. */
  logdir: string;
  /** Learning rate, scaled already where that is wanted. The model may give its optimizers a multiple of it. */
  learningRate: number;
  /** Factor on the learning rate. Default: constant 1. */
  schedule?: LearningRateSchedule | null;
  /** Epochs to train at most. Default 1000, as Lightning's. */
  maxEpochs?: number;
  /** Optimizer steps to train at most, counted over resumed runs. Default: no limit. */
  maxSteps?: number | null;
  /** Seconds to train at most in this run. Default: no limit. */
  maxTime?: number | null;
  /** Batches whose gradients are added before a step. Default 1. */
  accumulateGradBatches?: number;
  /** Validate after every so many epochs. Default 1. */
  checkValEveryNEpoch?: number;
  /** Validation batches at most. Default: all. */
  limitValBatches?: number | null;
  /** Write metrics of every so many steps. Default 1. */
  logEveryNSteps?: number;
  /** Seed of everything random in training. Default 23, as main.py's. */
  seed?: number;
  /** Generator of training, where a stream is to be continued. Default: a new one of the seed. */
  generator?: Generator;
  /** Autocast. Default 'fp32'. */
  precision?: CallOptions['precision'];
  /**
   * What to do when a loss is not finite: 'error' (default) stops before its optimizer steps, 'skip' leaves that out and
   * goes on. Of a GAN the first optimizer may have stepped when the second one's loss is found out.
   */
  onNan?: 'error' | 'skip';
  callbacks?: readonly Callback[];
  /** Where metrics go. Default: nowhere but to the callbacks. */
  logger?: MetricsLogger | null;
  /** Called after each optimizer step. */
  onProgress?: (progress: TrainProgress) => void;
  /** Called with lines for the user. */
  onInfo?: (message: string) => void;
}

/** Why {@link Trainer.fit} returned. */
export type StopReason = 'epochs' | 'steps' | 'time' | 'interrupted';

export interface FitResult {
  reason: StopReason;
  globalStep: number;
  epoch: number;
  /** Latest value of each metric. */
  metrics: Metrics;
  /** Steps left out because something was not finite. */
  skippedSteps: number;
}

type Defaulted =
  | 'schedule'
  | 'generator'
  | 'maxSteps'
  | 'maxTime'
  | 'limitValBatches'
  | 'logger'
  | 'onProgress'
  | 'onInfo';
type FullOptions = Required<Omit<TrainerOptions, Defaulted>> & Pick<TrainerOptions, Defaulted>;

const DEFAULTS = {
  maxEpochs: 1000,
  accumulateGradBatches: 1,
  checkValEveryNEpoch: 1,
  logEveryNSteps: 1,
  seed: 23,
  precision: 'fp32',
  onNan: 'error',
  callbacks: [],
} as const;

/** Trains one model. A trainer serves for one {@link fit}. */
export class Trainer {
  readonly #options: FullOptions;
  readonly #abort = new AbortController();
  readonly #metrics: Metrics = {};
  readonly #throughput = new Throughput();
  #trainable!: Trainable;
  #generator!: Generator;
  /** Learning rate of each optimizer before the schedule's factor. */
  #baseRates: readonly number[] = [];
  #state: TrainingState = { epoch: 0, position: 0, batchIdx: 0, globalStep: 0 };
  /** 1 within the hooks of a batch that made a step: the step is done but not yet counted. */
  #uncounted = 0;
  #interrupted = false;
  #checkpointWanted = false;
  /** Steps that were done when last.ckpt was written. */
  #lastSaved = -1;
  #skipped = 0;
  #started = 0;
  #firstStep = 0;
  #running = false;
  /** Items of an epoch: the position at which it is finished. */
  #epochLength = Number.POSITIVE_INFINITY;

  constructor(options: TrainerOptions) {
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...DEFAULTS, ...(given as unknown as TrainerOptions) };
  }

  /**
   * Asks for an end after the running step. {@link fit} then returns with the reason 'interrupted'.
   */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** Stops within the running step: {@link fit} rejects with ERR_ABORTED and writes nothing. */
  abort(): void {
    this.#abort.abort();
  }

  /** Asks for `checkpoints/last.ckpt` after the running step, without stopping. */
  requestCheckpoint(): void {
    this.#checkpointWanted = true;
  }

  /**
   * Trains until one of the limits is reached, and leaves `checkpoints/last.ckpt`.
   * @param options.checkpoint a file to go on from: weights, optimizers, counters, order of the data and generator
   * @throws LdmError ERR_NAN when something is not finite (see onNan), ERR_ABORTED after {@link abort}, ERR_DATA when the
   *   data set has no usable image
   */
  async fit(
    model: Module,
    train: DataLoader,
    options: { validation?: DataLoader; checkpoint?: string } = {},
  ): Promise<FitResult> {
    if (this.#running) throw new LdmError('ERR_INVALID_ARGUMENT', 'A Trainer serves for one fit(); make another one.');
    this.#running = true;
    this.#trainable = new Trainable(model);
    this.#generator = this.#options.generator ?? new Generator(this.#options.seed, model.device);
    this.#epochLength = train.end;
    await train.check();
    this.#baseRates = await this.#trainable.configureOptimizers(this.#options.learningRate);
    if (options.checkpoint) await this.#resume(options.checkpoint);
    await model.train();
    this.#started = seconds();
    this.#firstStep = this.#state.globalStep;
    const reason = await this.#epochs(train, options.validation);
    // Whatever the callbacks keep, a run leaves its last state.
    if (this.#lastSaved !== this.#state.globalStep) await this.#view.saveCheckpoint(this.#lastCheckpoint);
    const { globalStep, epoch } = this.#state;
    return { reason, globalStep, epoch, metrics: { ...this.#metrics }, skippedSteps: this.#skipped };
  }

  // -------------------------------------------------------------------------------------------------------- loops
  async #epochs(train: DataLoader, validation: DataLoader | undefined): Promise<StopReason> {
    const { maxEpochs, checkValEveryNEpoch } = this.#options;
    let stop = this.#limitReached();
    while (!stop && this.#state.epoch < maxEpochs) {
      stop = await this.#epoch(train);
      const finished = this.#state.position >= this.#epochLength;
      if (stop === 'interrupted') return stop;
      if (finished && validation && (this.#state.epoch + 1) % checkValEveryNEpoch === 0)
        await this.#validate(validation);
      // Hooks of an epoch's end see the number of its last step, as in Lightning.
      this.#state.globalStep--;
      this.#uncounted = 1;
      for (const callback of this.#options.callbacks) await callback.onTrainEpochEnd?.(this.#view);
      this.#state.globalStep++;
      this.#uncounted = 0;
      if (finished) this.#state = { ...this.#state, epoch: this.#state.epoch + 1, position: 0, batchIdx: 0 };
    }
    return stop ?? 'epochs';
  }

  /** One epoch, or the rest of one. Returns why it ended early. */
  async #epoch(train: DataLoader): Promise<StopReason | null> {
    const { epoch, position } = this.#state;
    let any = position > 0;
    for await (const loaded of train.batches(epoch, position)) {
      any = true;
      try {
        await this.#batch(loaded, train);
      } finally {
        disposeBatch(loaded.batch);
      }
      const stop = this.#limitReached();
      if (stop) return stop;
    }
    if (!any) throw new LdmError('ERR_DATA', 'None of the images can be read any more.');
    return null;
  }

  async #batch(loaded: LoadedBatch, train: DataLoader): Promise<void> {
    const { accumulateGradBatches, logEveryNSteps, callbacks, logger } = this.#options;
    const { batchIdx, globalStep } = this.#state;
    const step = (batchIdx + 1) % accumulateGradBatches === 0 || loaded.last;
    const rates = this.#rates(globalStep);
    await this.#trainable.setLearningRates(rates);
    const log = await this.#trainBatch(loaded.batch, step);
    this.#throughput.add(loaded.size, seconds());
    this.#state = { ...this.#state, position: loaded.position, batchIdx: batchIdx + 1 };
    Object.assign(this.#metrics, log);
    if (step && globalStep % logEveryNSteps === 0)
      logger?.log({ ...log, lr: rates[0] }, { step: globalStep, epoch: this.#state.epoch });
    this.#uncounted = step ? 1 : 0;
    const event: BatchEvent = { batch: loaded.batch, batchIdx, stepped: step };
    for (const callback of callbacks) await callback.onTrainBatchEnd?.(this.#view, event);
    this.#state.globalStep += this.#uncounted;
    this.#uncounted = 0;
    if (step) this.#report(rates[0], train);
    if (step && this.#checkpointWanted) {
      this.#checkpointWanted = false;
      await this.#view.saveCheckpoint(this.#lastCheckpoint);
      this.#view.info(`Saved ${this.#lastCheckpoint}`);
    }
  }

  async #trainBatch(batch: ImageBatch, step: boolean): Promise<Metrics> {
    const { globalStep, batchIdx } = this.#state;
    const where = `in step ${globalStep} (epoch ${this.#state.epoch}, batch ${batchIdx})`;
    const accumulate = this.#options.accumulateGradBatches;
    try {
      return await this.#trainable.trainBatch(
        { batch: this.#onDevice(batch), batchIdx, globalStep, log: true, step, accumulate },
        { random: this.#generator, signal: this.#abort.signal, precision: this.#options.precision },
      );
    } catch (error) {
      if (!LdmError.is(error) || error.code !== 'ERR_NAN') throw error;
      if (this.#options.onNan === 'error')
        throw new LdmError(
          'ERR_NAN',
          `${error.message} ${where}. Lower the learning rate, train in fp32, or leave such steps out with --on-nan skip.`,
        );
      this.#skipped++;
      await this.#trainable.model.zeroGrad();
      this.#view.info(`Skipped a step: ${error.message} ${where}.`);
      return {};
    }
  }

  async #validate(validation: DataLoader): Promise<void> {
    const { limitValBatches, callbacks, logger } = this.#options;
    const { epoch, globalStep } = this.#state;
    const mean = new MeanMetrics();
    await this.#trainable.model.eval();
    let batchIdx = 0;
    for await (const { batch, size } of validation.batches(0)) {
      if (limitValBatches != null && batchIdx >= limitValBatches) {
        disposeBatch(batch);
        break;
      }
      using random = this.#sideGenerator(batchIdx);
      const log = await this.#trainable.validateBatch(
        { batch: this.#onDevice(batch), batchIdx, globalStep },
        { random, signal: this.#abort.signal, precision: this.#options.precision },
      );
      mean.add(log, size);
      for (const callback of callbacks)
        await callback.onValidationBatchEnd?.(this.#view, { batch, batchIdx, stepped: false });
      disposeBatch(batch);
      batchIdx++;
    }
    await this.#trainable.model.train();
    Object.assign(this.#metrics, mean.values);
    logger?.log(mean.values, { step: globalStep, epoch });
  }

  // ------------------------------------------------------------------------------------------------------ helpers
  /** The learning rate of each optimizer. */
  #rates(globalStep: number): number[] {
    const factor = this.#options.schedule?.(globalStep, this.#fraction) ?? 1;
    return this.#baseRates.map((rate) => rate * factor);
  }

  get #fraction(): number {
    const { maxSteps, maxTime } = this.#options;
    const bySteps = maxSteps == null ? 0 : this.#state.globalStep / maxSteps;
    const byTime = maxTime == null ? 0 : (seconds() - this.#started) / maxTime;
    return Math.min(Math.max(bySteps, byTime), 1);
  }

  #limitReached(): StopReason | null {
    const { maxSteps, maxTime } = this.#options;
    if (this.#interrupted) return 'interrupted';
    if (maxSteps != null && this.#state.globalStep >= maxSteps) return 'steps';
    if (maxTime != null && seconds() - this.#started >= maxTime) return 'time';
    return null;
  }

  /** Validation and pictures draw from generators of their own: how often they happen must not change training. */
  #sideGenerator(batchIdx: number): Generator {
    return new Generator(
      this.#options.seed + 1_000_003 * (this.#state.globalStep + 1) + batchIdx,
      this.#trainable.model.device,
    );
  }

  #onDevice(batch: ImageBatch): Record<string, unknown> {
    return batchOn(batch, this.#trainable.model.device);
  }

  #report(learningRate: number, train: DataLoader): void {
    const { maxSteps, maxTime, maxEpochs, accumulateGradBatches, onProgress } = this.#options;
    if (!onProgress) return;
    const { epoch, globalStep } = this.#state;
    const total = Math.min(maxSteps ?? Infinity, Math.ceil(train.length / accumulateGradBatches) * maxEpochs);
    const elapsed = seconds() - this.#started;
    const done = { steps: globalStep - this.#firstStep, seconds: elapsed };
    onProgress({
      epoch,
      step: globalStep,
      maxSteps: maxSteps ?? null,
      loss: mainLoss(this.#metrics),
      learningRate,
      imagesPerSecond: this.#throughput.rate,
      elapsed,
      eta: remainingSeconds(done, { steps: total - this.#firstStep, seconds: maxTime ?? null }),
      rss: native().memoryUsage().rss,
    });
  }

  /** Where a run goes on that begins with what is done now. */
  get #next(): TrainingState {
    const globalStep = this.#state.globalStep + this.#uncounted;
    const { epoch, position } = this.#state;
    if (position < this.#epochLength) return { ...this.#state, globalStep };
    return { epoch: epoch + 1, position: 0, batchIdx: 0, globalStep };
  }

  get #lastCheckpoint(): string {
    return path.join(this.#options.logdir, 'checkpoints', 'last.ckpt');
  }

  async #resume(file: string): Promise<void> {
    const restored = await loadTrainingCheckpoint(file, {
      trainable: this.#trainable,
      generator: this.#generator,
      callbacks: this.#options.callbacks,
    });
    this.#state = restored;
    this.#view.info(`Resumed from ${file} at step ${restored.globalStep}, epoch ${restored.epoch}`);
  }

  readonly #view: TrainerView = ((trainer: Trainer): TrainerView => ({
    get trainable() {
      return trainer.#trainable;
    },
    get globalStep() {
      return trainer.#state.globalStep;
    },
    get currentEpoch() {
      return trainer.#state.epoch;
    },
    get logdir() {
      return trainer.#options.logdir;
    },
    get metrics() {
      return trainer.#metrics;
    },
    get signal() {
      return trainer.#abort.signal;
    },
    info: (message) => trainer.#options.onInfo?.(message),
    sideGenerator: () => trainer.#sideGenerator(0),
    logImage: (tag, png, size) => trainer.#options.logger?.image(tag, png, size, trainer.#state.globalStep),
    saveCheckpoint: async (file, options) => {
      const weightsOnly = options?.weightsOnly ?? false;
      await writeTrainingCheckpoint(file, {
        trainable: trainer.#trainable,
        generator: trainer.#generator,
        callbacks: trainer.#options.callbacks,
        state: trainer.#next,
        epoch: trainer.#state.epoch,
        baseRates: trainer.#baseRates,
        rates: trainer.#rates(trainer.#next.globalStep),
        scheduled: trainer.#options.schedule != null,
        weightsOnly,
      });
      if (file === trainer.#lastCheckpoint && !weightsOnly) trainer.#lastSaved = trainer.#next.globalStep;
    },
  }))(this);
}

/** The number to show: the reconstruction or noise loss where there is one, else the first. */
function mainLoss(metrics: Readonly<Metrics>): TrainProgress['loss'] {
  const name =
    ['train/rec_loss', 'train/loss_simple', 'train/loss'].find((n) => n in metrics) ?? Object.keys(metrics)[0];
  return name === undefined ? null : { name, value: metrics[name] };
}

function seconds(): number {
  return performance.now() / 1000;
}
