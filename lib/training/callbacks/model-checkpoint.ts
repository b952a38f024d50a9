/** Lightning 1.4's ModelCheckpoint: names by pattern, the best k by a metric or the newest, and last.ckpt. */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../../errors';
import { Tensor } from '../../tensor';
import { scalarOf } from '../callback-states';
import { type BatchEvent, type Callback, type CallbackState, stateKey, type TrainerView } from './callback';
import { formatCheckpointName } from './checkpoint-name';

/** Lightning's arguments under their names. */
export interface ModelCheckpointOptions {
  dirpath: string;
  /** Pattern: `{epoch:06}` and `{step:09}` become `epoch=000001` and `step=000000123`. Default '{epoch}-{step}'. */
  filename?: string | null;
  /** Write `name=value` for `{name}`, not the value alone. Default true. */
  auto_insert_metric_name?: boolean;
  /** Metric that decides which checkpoints are the best. Default: none, then the newest is kept. */
  monitor?: string | null;
  /** How many are kept; -1: all, 0: none. Without `monitor` -1, 0 or 1. Default 1. */
  save_top_k?: number;
  /** Whether a small or a large value of the metric is good. Default 'min'. */
  mode?: 'min' | 'max';
  /** Also write last.ckpt. Default false. */
  save_last?: boolean;
  /** Save every so many steps. Of this, `every_n_epochs` and `train_time_interval` only one may be given. */
  every_n_train_steps?: number | null;
  /** Save at the end of every so many epochs. Default 1 where neither steps nor time are given. */
  every_n_epochs?: number | null;
  /** Save every so many seconds. */
  train_time_interval?: number | null;
  /** Save at the end of epochs; false: after validation. Default true. */
  save_on_train_epoch_end?: boolean;
  /** Leave out the optimizers. Default false. */
  save_weights_only?: boolean;
  /** Tell about each file. Default false. */
  verbose?: boolean;
}

export class ModelCheckpoint implements Callback {
  readonly stateKey: string;
  readonly #options: Required<ModelCheckpointOptions>;
  /** Kept files and their scores, in the order in which they were written. */
  #kept = new Map<string, number>();
  #current: number | null = null;
  #lastPath = '';
  /** Step of the last save: an epoch's end right after an every-n save adds nothing. */
  #lastStep = -1;
  #lastTime = 0;
  #warned = false;

  /** @throws LdmError ERR_CONFIG for combinations that Lightning refuses */
  constructor(options: ModelCheckpointOptions) {
    const { every_n_train_steps, every_n_epochs, train_time_interval } = options;
    const unset = every_n_train_steps == null && every_n_epochs == null && train_time_interval == null;
    this.#options = {
      dirpath: path.resolve(options.dirpath),
      filename: options.filename ?? '{epoch}-{step}',
      auto_insert_metric_name: options.auto_insert_metric_name ?? true,
      monitor: options.monitor ?? null,
      save_top_k: options.save_top_k ?? 1,
      mode: options.mode ?? 'min',
      save_last: options.save_last ?? false,
      every_n_train_steps: every_n_train_steps ?? 0,
      every_n_epochs: every_n_epochs ?? (unset ? 1 : 0),
      train_time_interval: train_time_interval ?? null,
      save_on_train_epoch_end: options.save_on_train_epoch_end ?? true,
      save_weights_only: options.save_weights_only ?? false,
      verbose: options.verbose ?? false,
    };
    this.#validate();
    const { monitor, mode } = this.#options;
    this.stateKey = stateKey('ModelCheckpoint', {
      monitor,
      mode,
      every_n_train_steps: this.#options.every_n_train_steps,
      every_n_epochs: this.#options.every_n_epochs,
      train_time_interval: this.#options.train_time_interval,
    });
  }

  /** Path of the best checkpoint, or of the newest where nothing is monitored; null before the first. */
  get bestModelPath(): string | null {
    return this.#best()?.[0] ?? null;
  }

  async onTrainStart(): Promise<void> {
    this.#lastTime = performance.now();
  }

  async onTrainBatchEnd(trainer: TrainerView, event: BatchEvent): Promise<void> {
    const { every_n_train_steps: every, train_time_interval: interval } = this.#options;
    if (!event.stepped) return;
    const dueByStep = every! > 0 && (trainer.globalStep + 1) % every! === 0;
    const dueByTime = interval !== null && performance.now() - this.#lastTime >= interval * 1000;
    if (!dueByStep && !dueByTime) return;
    if (dueByTime) this.#lastTime = performance.now();
    await this.#save(trainer);
  }

  async onValidationEnd(trainer: TrainerView): Promise<void> {
    if (!this.#options.save_on_train_epoch_end && this.#epochIsDue(trainer)) await this.#save(trainer);
  }

  async onTrainEpochEnd(trainer: TrainerView): Promise<void> {
    if (this.#options.save_on_train_epoch_end && this.#epochIsDue(trainer)) await this.#save(trainer);
  }

  state(): CallbackState {
    const { monitor, dirpath } = this.#options;
    const tensor = (score: number) => Tensor.full([], score);
    const [best, worst] = [this.#best(), this.#worst()];
    const full = worst !== undefined && this.#kept.size === this.#options.save_top_k;
    return {
      monitor,
      best_model_score: monitor !== null && best ? tensor(best[1]) : null,
      best_model_path: best?.[0] ?? '',
      current_score: this.#current === null ? null : tensor(this.#current),
      dirpath,
      best_k_models: monitor === null ? {} : new Map([...this.#kept].map(([file, score]) => [file, tensor(score)])),
      kth_best_model_path: monitor !== null && full ? worst[0] : '',
      kth_value: tensor(monitor !== null && full ? worst[1] : this.#worstPossible),
      last_model_path: this.#lastPath,
      _last_global_step_saved: this.#lastStep,
    };
  }

  /** Lightning 1.4 stores the best file only; files that are not in this folder are none of this run. */
  async loadState(state: ReadonlyMap<string, unknown>): Promise<void> {
    const stored = state.get('best_k_models');
    const files = new Map<unknown, unknown>(stored instanceof Map ? stored : []);
    if (files.size === 0 && state.get('best_model_path'))
      files.set(state.get('best_model_path'), state.get('best_model_score') ?? 0);
    this.#kept.clear();
    for (const [file, score] of files) {
      const here = path.join(this.#options.dirpath, path.basename(String(file)));
      if (fs.existsSync(here)) this.#kept.set(here, await scalarOf(score, this.#worstPossible));
    }
    this.#lastStep = Number(state.get('_last_global_step_saved') ?? -1);
  }

  #validate(): void {
    const { monitor, save_top_k, every_n_train_steps, every_n_epochs, train_time_interval } = this.#options;
    if (monitor === null && ![-1, 0, 1].includes(save_top_k))
      throw new LdmError(
        'ERR_CONFIG',
        `ModelCheckpoint: save_top_k=${save_top_k} needs a metric. Give monitor, or -1 (keep all), 0 (none) or 1 (the newest).`,
      );
    const triggers = [every_n_train_steps! > 0, every_n_epochs! > 0, train_time_interval !== null].filter(Boolean);
    if (triggers.length > 1)
      throw new LdmError(
        'ERR_CONFIG',
        'ModelCheckpoint: give only one of every_n_train_steps, every_n_epochs and train_time_interval; for two, add a second callback.',
      );
  }

  #epochIsDue(trainer: TrainerView): boolean {
    const every = this.#options.every_n_epochs!;
    return every > 0 && (trainer.currentEpoch + 1) % every === 0;
  }

  async #save(trainer: TrainerView): Promise<void> {
    if (trainer.globalStep === this.#lastStep) return;
    this.#lastStep = trainer.globalStep;
    await trainer.readLogs();
    const { dirpath, monitor, save_top_k, save_last } = this.#options;
    if (save_top_k !== 0) {
      if (monitor === null) await this.#saveNewest(trainer);
      else await this.#saveIfBest(trainer, monitor);
    }
    if (!save_last) return;
    this.#lastPath = path.join(dirpath, 'last.ckpt');
    await this.#write(trainer, this.#lastPath);
  }

  async #saveNewest(trainer: TrainerView): Promise<void> {
    const file = this.#freeName(trainer);
    const before = this.#options.save_top_k === 1 ? [...this.#kept.keys()] : [];
    // The newest is the best.
    this.#kept.set(file, this.#options.mode === 'min' ? -trainer.globalStep : trainer.globalStep);
    await this.#write(trainer, file);
    for (const old of before) this.#drop(old);
  }

  async #saveIfBest(trainer: TrainerView, monitor: string): Promise<void> {
    const value = trainer.metrics[monitor];
    if (value === undefined) return this.#tellMissing(trainer, monitor);
    const { save_top_k, verbose } = this.#options;
    const full = save_top_k > 0 && this.#kept.size === save_top_k;
    const worst = full ? this.#worst()! : undefined;
    if (worst && !this.#isBetter(value, worst[1])) {
      if (verbose)
        trainer.info(
          `Epoch ${trainer.currentEpoch}, step ${trainer.globalStep}: ${monitor} ${value.toFixed(5)} is not among the best ${save_top_k}`,
        );
      return;
    }
    const score = Number.isNaN(value) ? this.#worstPossible : value;
    const file = this.#freeName(trainer, worst?.[0]);
    this.#current = score;
    if (worst) this.#kept.delete(worst[0]);
    this.#kept.set(file, score);
    await this.#write(trainer, file, `: ${monitor} reached ${score.toFixed(5)} (best ${this.#best()![1].toFixed(5)})`);
    if (worst && worst[0] !== file) this.#drop(worst[0]);
  }

  async #write(trainer: TrainerView, file: string, about = ''): Promise<void> {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await trainer.saveCheckpoint(file, { weightsOnly: this.#options.save_weights_only });
    if (this.#options.verbose) trainer.info(`Saved ${file}${about}`);
  }

  #drop(file: string): void {
    this.#kept.delete(file);
    fs.rmSync(file, { force: true });
  }

  #tellMissing(trainer: TrainerView, monitor: string): void {
    if (this.#warned) return;
    this.#warned = true;
    const names = Object.keys(trainer.metrics).sort().join(', ');
    trainer.info(`Nothing has logged ${monitor}, by which the best checkpoints are to be kept. Logged: ${names}.`);
  }

  get #worstPossible(): number {
    return this.#options.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }
  #isBetter(a: number, b: number): boolean {
    return this.#options.mode === 'min' ? a < b : a > b;
  }
  #best(): [string, number] | undefined {
    return this.#extreme((a, b) => this.#isBetter(a, b));
  }
  #worst(): [string, number] | undefined {
    return this.#extreme((a, b) => this.#isBetter(b, a));
  }
  /** The first kept file that no other one beats. */
  #extreme(beats: (a: number, b: number) => boolean): [string, number] | undefined {
    const entries = [...this.#kept];
    return entries.reduce<[string, number] | undefined>(
      (found, entry) => (found === undefined || beats(entry[1], found[1]) ? entry : found),
      undefined,
    );
  }

  /** A name that is taken gets `-v1`, `-v2`, ..., except for that of a file that will be replaced. */
  #freeName(trainer: TrainerView, replaced?: string): string {
    const { dirpath, filename, auto_insert_metric_name: insertNames } = this.#options;
    const values = { ...trainer.metrics, epoch: trainer.currentEpoch, step: trainer.globalStep };
    const name = formatCheckpointName(filename!, values, { insertNames });
    for (let version = 0; ; version++) {
      const file = path.join(dirpath, version === 0 ? `${name}.ckpt` : `${name}-v${version}.ckpt`);
      if (!fs.existsSync(file) || file === replaced) return file;
    }
  }
}
