/**
 * Trainer: runs a model over a data set, as pytorch_lightning.Trainer does for the reference's main.py. It orchestrates
 * only: one native job is one micro-batch, with everything that the reference does in it.
 *
 * Counting follows Lightning 1.4: `globalStep` counts optimizer steps (an accumulated batch counts once, both optimizers
 * of a GAN together), and hooks see the number of the step that has just been made, from 0.
 */
import path from 'node:path';
import { disposeBatch, type ImageBatch, withBatchOn } from '../data/collate';
import type { DataLoader, LoadedBatch } from '../data/data-loader';
import { LdmError } from '../errors';
import type { Module } from '../models/module';
import { native } from '../native';
import { Generator } from '../random';
import type { BatchEvent, TrainerView } from './callbacks/callback';
import { evaluate } from './evaluation';
import { LearningRates } from './learning-rates';
import { MeanMetrics, type Metrics } from './metrics';
import { mainLoss, remainingSeconds, Throughput } from './progress';
import { type LaterLog, readLater, Trainable } from './trainable';
import {
  batchesOf,
  type FitResult,
  type FullTrainerOptions,
  fullTrainerOptions,
  type StopReason,
  type TrainerOptions,
} from './trainer-options';
import {
  loadTrainingCheckpoint,
  loadWeights,
  type TrainingState,
  writeTrainingCheckpoint,
} from './training-checkpoint';

export interface FitOptions {
  validation?: DataLoader;
  /** A file to go on from: weights, optimizers, counters, order of the data and generator. */
  checkpoint?: string;
}

/** What a batch has logged, where some of it is still on the device. */
interface UnreadLog {
  known: Metrics;
  later: LaterLog;
  /** Images of the batch. */
  size: number;
  where: string;
}

/** Trains one model. A trainer serves for one {@link fit}, and one {@link test} after it or without it. */
export class Trainer {
  readonly #options: FullTrainerOptions;
  readonly #abort = new AbortController();
  readonly #metrics: Metrics = {};
  readonly #throughput = new Throughput();
  #trainable!: Trainable;
  #generator!: Generator;
  #rates!: LearningRates;
  #train!: DataLoader;
  #validation: DataLoader | undefined;
  #state: TrainingState = { epoch: 0, position: 0, batchIdx: 0, globalStep: 0 };
  /** 1 within hooks: the last step is done but not yet counted. */
  #uncounted = 0;
  /** Of the training metrics, over the batches of the epoch that this run has made. */
  #epochMean = new MeanMetrics();
  #interrupted = false;
  #stopReason: string | null = null;
  #checkpointWanted = false;
  /** Steps that were done when last.ckpt was written. */
  #lastSaved = -1;
  #skipped = 0;
  /** Logs that are still on the device, in the order of the batches. */
  #unread: UnreadLog[] = [];
  /** When they were read last. */
  #lastRead = 0;
  #started = 0;
  #firstStep = 0;
  #running = false;

  constructor(options: TrainerOptions) {
    this.#options = fullTrainerOptions(options);
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

  /** Where the run stands: epoch and steps done, and the latest value of each metric. */
  get status(): { epoch: number; globalStep: number; metrics: Readonly<Metrics> } {
    const { epoch, globalStep } = this.#state;
    return { epoch, globalStep, metrics: this.#metrics };
  }

  /**
   * Trains until one of the limits is reached, and leaves `checkpoints/last.ckpt`; also when training fails, as far as it had
   * come.
   * @throws LdmError ERR_NAN when something is not finite (see onNan), ERR_ABORTED after {@link abort}, ERR_DATA when the
   *   data set has no usable image
   */
  async fit(model: Module, train: DataLoader, options: FitOptions = {}): Promise<FitResult> {
    if (this.#running) throw new LdmError('ERR_INVALID_ARGUMENT', 'A Trainer serves for one fit(); make another one.');
    this.#running = true;
    const { seed, learningRate, firstMoment, lrScheduler, schedule } = this.#options;
    this.#trainable = new Trainable(model);
    this.#generator = this.#options.generator ?? new Generator(seed, model.device);
    this.#train = train;
    this.#validation = this.#options.limitValBatches === 0 ? undefined : options.validation;
    await train.check();
    const bases = await this.#trainable.configureOptimizers(learningRate, firstMoment);
    this.#rates = new LearningRates(bases, { scheduler: lrScheduler, factor: schedule });
    if (options.checkpoint) await this.#resume(options.checkpoint);
    this.#checkLimits();
    await this.#sanityCheck();
    await model.train();
    this.#started = seconds();
    this.#firstStep = this.#state.globalStep;
    for (const callback of this.#options.callbacks) await callback.onTrainStart?.(this.#view);
    let reason: StopReason;
    try {
      reason = await this.#epochs();
      await this.#readLogs();
    } catch (error) {
      await this.#rescue(error);
      throw error;
    }
    // Whatever the callbacks keep, a run leaves its last state.
    await this.#saveLast();
    const { globalStep, epoch } = this.#state;
    return { reason, globalStep, epoch, metrics: { ...this.#metrics }, skippedSteps: this.#skipped };
  }

  /**
   * The means of the model's losses over a data set, named `test/...`. They are logged.
   * @param options.checkpoint the weights to test; default: those that the model has
   */
  async test(model: Module, test: DataLoader, options: { checkpoint?: string } = {}): Promise<Metrics> {
    this.#trainable ??= new Trainable(model);
    if (options.checkpoint) await this.#loadWeights(options.checkpoint);
    await model.eval();
    const limit = batchesOf(this.#options.limitTestBatches, test.length, 'limit_test_batches');
    const means = await this.#evaluate(test, limit);
    await model.train();
    const renamed = Object.entries(means).map(([name, value]) => [name.replace(/^val(_ema)?\//, 'test$1/'), value]);
    const metrics = Object.fromEntries(renamed) as Metrics;
    this.#record(metrics, this.#state.globalStep);
    return metrics;
  }

  // -------------------------------------------------------------------------------------------------------- loops
  async #epochs(): Promise<StopReason> {
    let stop = this.#limitReached();
    while (!stop && this.#state.epoch < this.#options.maxEpochs!) {
      this.#epochMean = new MeanMetrics();
      stop = await this.#epoch();
      if (stop === 'interrupted') return stop;
      const finished = this.#isEpochFinished;
      // Hooks of an epoch's end see the number of its last step, as in Lightning.
      await this.#withoutLastStep(1, () => this.#endEpoch());
      if (finished) this.#state = { ...this.#state, epoch: this.#state.epoch + 1, position: 0, batchIdx: 0 };
      stop ??= this.#limitReached() ?? this.#earlyStop();
    }
    return stop ?? 'epochs';
  }

  /** One epoch, or the rest of one. Returns why it ended early. */
  async #epoch(): Promise<StopReason | null> {
    const { epoch, position } = this.#state;
    let any = position > 0;
    for await (const loaded of this.#train.batches(epoch, position)) {
      any = true;
      const last = loaded.last || this.#state.batchIdx + 1 >= this.#batchesOfEpoch;
      try {
        await this.#batch(last ? { ...loaded, last, position: this.#train.end } : loaded);
      } finally {
        disposeBatch(loaded.batch);
      }
      if (last) return this.#limitReached();
      if (!this.#endsStep(this.#state.batchIdx - 1, last)) continue;
      const stop = this.#limitReached();
      if (stop) return stop;
      if (this.#stopReason !== null) {
        // An epoch that a callback ends counts as a whole one.
        this.#state.position = this.#train.end;
        return null;
      }
    }
    if (!any) throw new LdmError('ERR_DATA', 'None of the images can be read any more.');
    return null;
  }

  async #batch(loaded: LoadedBatch): Promise<void> {
    const { callbacks } = this.#options;
    const { batchIdx, globalStep, epoch } = this.#state;
    const step = this.#endsStep(batchIdx, loaded.last);
    const rates = this.#rates.at(globalStep, this.#fraction);
    await this.#trainable.setLearningRates(rates);
    const known = await this.#trainBatch(loaded, step);
    this.#throughput.add(loaded.size, seconds());
    this.#state = { ...this.#state, position: loaded.position, batchIdx: batchIdx + 1 };
    this.#uncounted = step ? 1 : 0;
    const logging = step && (globalStep + 1) % this.#options.logEveryNSteps === 0;
    const validating = this.#validationIsDue(batchIdx, loaded.last);
    // The host waits for a GPU when somebody looks, and at least every second, so that trouble shows soon.
    const due = logging || validating || loaded.last || seconds() - this.#lastRead >= 1;
    const log = (due ? await this.#readLogs() : undefined) ?? known;
    if (logging) {
      const values = { ...log, lr: rates[0], ...this.#callbackMetrics('step') };
      this.#options.logger?.log(values, { step: globalStep, epoch, of: 'step' });
    }
    const event: BatchEvent = { batch: loaded.batch, batchIdx, stepped: step };
    for (const callback of callbacks) await callback.onTrainBatchEnd?.(this.#view, event);
    if (validating) await this.#validate();
    this.#state.globalStep += this.#uncounted;
    this.#uncounted = 0;
    if (!step) return;
    this.#report(rates[0]);
    if (this.#checkpointWanted) {
      this.#checkpointWanted = false;
      await this.#view.saveCheckpoint(this.#lastCheckpoint);
      this.#view.info(`Saved ${this.#lastCheckpoint}`);
    }
  }

  /** Runs a batch and accounts for what it logs, now or when that is read. Returns what is known now. */
  async #trainBatch({ batch, size }: LoadedBatch, step: boolean): Promise<Metrics> {
    const { globalStep, batchIdx } = this.#state;
    const where = `in step ${globalStep} (epoch ${this.#state.epoch}, batch ${batchIdx})`;
    const { accumulateGradBatches: accumulate, gradientClipping: clip, precision, onNan } = this.#options;
    const { exactLogs, reuseReconstructions, wholeSteps } = this.#options;
    // A step that is to be left out must not have begun.
    const stepInBackward = !wholeSteps && onNan === 'error';
    const shortcuts = { skipIdle: !exactLogs, reuseReconstructions, stepInBackward };
    const run = { random: this.#generator, signal: this.#abort.signal, precision };
    try {
      const { log, later } = await this.#onDevice(batch, (moved) =>
        this.#trainable.trainBatch(
          { batch: moved, batchIdx, globalStep, log: true, defer: true, step, accumulate, clip, ...shortcuts },
          run,
        ),
      );
      if (later) this.#unread.push({ known: log, later, size, where });
      else this.#account(log, size);
      return log;
    } catch (error) {
      if (!LdmError.is(error) || error.code !== 'ERR_NAN') throw error;
      this.#refuse(error.message, where);
      await this.#trainable.model.zeroGrad();
      return {};
    }
  }

  #account(log: Metrics, size: number): void {
    this.#epochMean.add(this.#forked(log), size);
    Object.assign(this.#metrics, log);
  }

  /** A step that is not made: an error, or a message where such steps are left out. */
  #refuse(message: string, where: string): void {
    if (this.#options.onNan === 'error')
      throw new LdmError(
        'ERR_NAN',
        `${message} ${where}. Lower the learning rate, train in fp32, or leave such steps out with --on-nan skip.`,
      );
    this.#skipped++;
    this.#view.info(`Skipped a step: ${message} ${where}.`);
  }

  /** Waits for the logs that are still on the device and accounts for them. Returns the last one. */
  async #readLogs(): Promise<Metrics | undefined> {
    const logs = this.#unread.splice(0);
    this.#lastRead = seconds();
    if (logs.length === 0) return undefined;
    const read = await readLater(logs.map(({ later }) => later));
    let last: Metrics = {};
    for (const [i, { known, size, where }] of logs.entries()) {
      // In float16 overflows belong to the scaling of the loss.
      const refused = read[i].unfit && this.#options.precision !== 'fp16';
      last = refused ? {} : { ...known, ...read[i].log };
      if (refused) this.#refuse('A gradient is not finite', where);
      else this.#account(last, size);
    }
    return last;
  }

  async #endEpoch(): Promise<void> {
    const { globalStep, epoch } = this.#state;
    const means = this.#epochMean.values;
    // Lightning's callbacks see the mean under both names.
    Object.assign(this.#metrics, means);
    const values = Object.fromEntries(Object.entries(means).map(([name, value]) => [`${name}_epoch`, value]));
    Object.assign(this.#metrics, values);
    this.#options.logger?.log(
      { ...values, ...this.#callbackMetrics('epoch') },
      { step: globalStep, epoch, of: 'epoch' },
    );
    for (const callback of this.#options.callbacks) await callback.onTrainEpochEnd?.(this.#view);
  }

  async #validate(): Promise<void> {
    const { model } = this.#trainable;
    const limit = batchesOf(this.#options.limitValBatches, this.#validation!.length, 'limit_val_batches');
    await model.eval();
    const means = await this.#evaluate(this.#validation!, limit, true);
    await model.train();
    if (this.#interrupted) return;
    this.#record(means, this.#state.globalStep);
    for (const callback of this.#options.callbacks) await callback.onValidationEnd?.(this.#view);
  }

  /** A few batches of validation before training: a mistake there should not show after hours. */
  async #sanityCheck(): Promise<void> {
    const { numSanityValSteps: steps, limitValBatches } = this.#options;
    if (!this.#validation || steps === 0) return;
    const all = batchesOf(limitValBatches, this.#validation.length, 'limit_val_batches');
    await this.#trainable.model.eval();
    await this.#evaluate(this.#validation, steps < 0 ? all : Math.min(steps, all));
  }

  #evaluate(loader: DataLoader, limit: number, hooks = false): Promise<Metrics> {
    const { globalStep } = this.#state;
    return evaluate(loader, limit, {
      isOver: () => this.#interrupted,
      run: async (batch, batchIdx) => {
        using random = this.#sideGenerator(batchIdx);
        const run = { random, signal: this.#abort.signal, precision: this.#options.precision };
        return await this.#onDevice(batch, (moved) =>
          this.#trainable.validateBatch({ batch: moved, batchIdx, globalStep }, run),
        );
      },
      afterBatch: async (batch, batchIdx) => {
        const event = { batch, batchIdx, stepped: false };
        if (hooks)
          for (const callback of this.#options.callbacks) await callback.onValidationBatchEnd?.(this.#view, event);
      },
    });
  }

  // ------------------------------------------------------------------------------------------------ when what is due
  /** Whether the optimizers step after this batch of the epoch. */
  #endsStep(batchIdx: number, last: boolean): boolean {
    return last || (batchIdx + 1) % this.#options.accumulateGradBatches === 0;
  }

  get #batchesOfEpoch(): number {
    return batchesOf(this.#options.limitTrainBatches, this.#train.length, 'limit_train_batches');
  }

  get #isEpochFinished(): boolean {
    return this.#state.position >= this.#train.end;
  }

  #validationIsDue(batchIdx: number, last: boolean): boolean {
    const { valCheckInterval, checkValEveryNEpoch } = this.#options;
    if (!this.#validation || this.#interrupted || (this.#state.epoch + 1) % checkValEveryNEpoch !== 0) return false;
    const every = valCheckInterval === null ? null : this.#validationInterval;
    return every === null ? last : (batchIdx + 1) % every === 0;
  }

  get #validationInterval(): number | null {
    const { valCheckInterval: interval } = this.#options;
    if (typeof interval === 'number') return interval;
    if (interval === null || interval.fraction === 1) return null;
    const batches = this.#batchesOfEpoch;
    return batches * interval.fraction < 1 ? 1 : batchesOf(interval, batches, 'val_check_interval');
  }

  /** Mistakes that show only with the data. */
  #checkLimits(): void {
    const batches = this.#batchesOfEpoch;
    const { valCheckInterval: interval, maxEpochs } = this.#options;
    const every = this.#validation ? this.#validationInterval : null;
    if (every !== null && typeof interval === 'number' && every > batches)
      throw new LdmError(
        'ERR_CONFIG',
        `val_check_interval (${interval}) must not exceed the number of training batches (${batches}). To switch validation off set limit_val_batches=0.`,
      );
    if (this.#state.epoch > maxEpochs!)
      throw new LdmError(
        'ERR_CONFIG',
        `The checkpoint has ${this.#state.epoch} epochs behind it, but max_epochs is ${maxEpochs}. Give more with --max_epochs.`,
      );
  }

  #limitReached(): StopReason | null {
    const { maxSteps, maxTime } = this.#options;
    if (this.#interrupted) return 'interrupted';
    if (maxSteps !== null && this.#state.globalStep >= maxSteps) return 'steps';
    if (maxTime !== null && seconds() - this.#started >= maxTime) return 'time';
    return null;
  }

  /** What a callback has asked for, once the least numbers of epochs and steps are done. */
  #earlyStop(): StopReason | null {
    const { minEpochs, minSteps } = this.#options;
    const { globalStep, epoch } = this.#state;
    if (this.#stopReason === null) return null;
    if (globalStep >= minSteps && epoch >= minEpochs) return 'early stopping';
    this.#view.info(`Training goes on: min_epochs (${minEpochs}) or min_steps (${minSteps}) is not reached.`);
    this.#stopReason = null;
    return null;
  }

  // ------------------------------------------------------------------------------------------------------ helpers
  get #fraction(): number {
    const { maxSteps, maxTime } = this.#options;
    const bySteps = maxSteps === null ? 0 : this.#state.globalStep / maxSteps;
    const byTime = maxTime === null ? 0 : (seconds() - this.#started) / maxTime;
    return Math.min(Math.max(bySteps, byTime), 1);
  }

  /** Runs hooks that see the counter without the last step. */
  async #withoutLastStep(steps: number, hooks: () => Promise<void>): Promise<void> {
    this.#state.globalStep -= steps;
    this.#uncounted = steps;
    try {
      await hooks();
    } finally {
      this.#state.globalStep += steps;
      this.#uncounted = 0;
    }
  }

  /** Keeps means over a data set as metrics, and logs them. */
  #record(means: Metrics, step: number): void {
    Object.assign(this.#metrics, means);
    this.#options.logger?.log(means, { step, epoch: this.#state.epoch, of: 'epoch' });
  }

  #forked(log: Metrics): Metrics {
    return Object.fromEntries(Object.entries(log).filter(([name]) => this.#trainable.isForked(name)));
  }

  #callbackMetrics(of: 'step' | 'epoch'): Metrics {
    return Object.assign({}, ...this.#options.callbacks.map((callback) => callback.metrics?.(this.#view, of) ?? {}));
  }

  /** Validation and pictures draw from generators of their own: how often they happen must not change training. */
  #sideGenerator(batchIdx: number): Generator {
    const step = this.#state.globalStep + this.#uncounted;
    return new Generator(this.#options.seed + 1_000_003 * (step + 1) + batchIdx, this.#trainable.model.device);
  }

  #onDevice<T>(batch: ImageBatch, use: (batch: Record<string, unknown>) => Promise<T>): Promise<T> {
    return withBatchOn(batch, this.#trainable.model.device, use);
  }

  #report(learningRate: number): void {
    const { maxSteps, maxTime, maxEpochs, accumulateGradBatches, onProgress } = this.#options;
    if (!onProgress) return;
    const { epoch, globalStep } = this.#state;
    const stepsByEpochs = Math.ceil(this.#batchesOfEpoch / accumulateGradBatches) * maxEpochs!;
    const total = Math.min(maxSteps ?? Number.POSITIVE_INFINITY, stepsByEpochs);
    const elapsed = seconds() - this.#started;
    const done = { steps: globalStep - this.#firstStep, seconds: elapsed };
    const remaining = Number.isFinite(total) ? total - this.#firstStep : null;
    onProgress({
      epoch,
      step: globalStep,
      maxSteps: maxSteps ?? null,
      loss: mainLoss(this.#metrics),
      learningRate,
      imagesPerSecond: this.#throughput.rate,
      elapsed,
      eta: remainingSeconds(done, { steps: remaining, seconds: maxTime ?? null }),
      rss: native().memoryUsage().rss,
    });
  }

  /** Where a run goes on that begins with what is done now. */
  get #next(): TrainingState {
    const globalStep = this.#state.globalStep + this.#uncounted;
    if (!this.#isEpochFinished) return { ...this.#state, globalStep };
    return { epoch: this.#state.epoch + 1, position: 0, batchIdx: 0, globalStep };
  }

  get #lastCheckpoint(): string {
    return path.resolve(this.#options.logdir, 'checkpoints', 'last.ckpt');
  }

  async #saveLast(): Promise<void> {
    const { globalStep } = this.#state;
    if (this.#options.saveLast && this.#lastSaved !== globalStep) await this.#view.saveCheckpoint(this.#lastCheckpoint);
  }

  /** What has been trained until a failure is kept, as main.py does; a failure of that itself is not reported. */
  async #rescue(error: unknown): Promise<void> {
    const aborted = LdmError.is(error) && error.code === 'ERR_ABORTED';
    if (aborted || this.#state.globalStep === this.#firstStep) return;
    try {
      const unfinished = await this.#trainable.unfinishedStep();
      if (unfinished) await this.#saveUnfinished(unfinished);
      else {
        await this.#saveLast();
        this.#view.info(`Saved ${this.#lastCheckpoint}`);
      }
    } catch {
      // the first error tells more
    }
  }

  /** Weights of which some are a step ahead must not take the place of a whole state. */
  async #saveUnfinished({ stepped, of }: { stepped: number; of: number }): Promise<void> {
    if (!this.#options.saveLast) return;
    const file = path.join(path.dirname(this.#lastCheckpoint), 'unfinished-step.ckpt');
    await this.#view.saveCheckpoint(file);
    this.#view.info(
      `Saved ${file}: ${stepped} of ${of} parameters had been stepped already when step ${this.#state.globalStep} failed (--whole-steps prevents that).`,
    );
  }

  async #resume(file: string): Promise<void> {
    const rates = this.#rates.bases;
    this.#state = await loadTrainingCheckpoint(file, {
      trainable: this.#trainable,
      generator: this.#generator,
      callbacks: this.#options.callbacks,
      rates: this.#rates,
      onInfo: this.#view.info,
    });
    const { globalStep, epoch } = this.#state;
    if (path.resolve(file) === this.#lastCheckpoint) this.#lastSaved = globalStep;
    this.#view.info(`Resumed from ${file} at step ${globalStep}, epoch ${epoch}`);
    const kept = this.#rates.bases;
    if (kept.some((rate, i) => Math.abs(rate - rates[i]) > 1e-9 * rate))
      this.#view.info(`The learning rate ${kept[0]} of the checkpoint goes on (the config would give ${rates[0]}).`);
  }

  async #loadWeights(file: string): Promise<void> {
    const { globalStep, epoch } = await loadWeights(this.#trainable.model, file);
    this.#state = { ...this.#state, globalStep: globalStep ?? 0, epoch: epoch ?? 0 };
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
    readLogs: async () => {
      await trainer.#readLogs();
    },
    get learningRates() {
      return trainer.#rates.at(trainer.#state.globalStep, trainer.#fraction);
    },
    get scheduled() {
      return trainer.#rates.scheduled;
    },
    get signal() {
      return trainer.#abort.signal;
    },
    info: (message) => trainer.#options.onInfo?.(message),
    stop: (reason) => {
      trainer.#stopReason = reason;
      trainer.#options.onInfo?.(`Training is to stop: ${reason}.`);
    },
    sideGenerator: () => trainer.#sideGenerator(0),
    logImage: (tag, png, size) => trainer.#options.logger?.image(tag, png, size, trainer.#state.globalStep),
    saveCheckpoint: async (file, options) => {
      const weightsOnly = options?.weightsOnly ?? false;
      await writeTrainingCheckpoint(file, {
        trainable: trainer.#trainable,
        generator: trainer.#generator,
        callbacks: trainer.#options.callbacks,
        rates: trainer.#rates,
        state: trainer.#next,
        fraction: trainer.#fraction,
        weightsOnly,
      });
      if (path.resolve(file) === trainer.#lastCheckpoint && !weightsOnly) trainer.#lastSaved = trainer.#next.globalStep;
    },
  }))(this);
}

function seconds(): number {
  return performance.now() / 1000;
}
