/** Lightning's ModelCheckpoint as the reference's main.py uses it: names by pattern, the best k, and last.ckpt. */
import fs from 'node:fs';
import path from 'node:path';
import type { BatchEvent, Callback, TrainerView } from './callback';

/** Lightning's arguments under their names. */
export interface ModelCheckpointOptions {
  dirpath: string;
  /** Pattern: `{epoch:06}` and `{step:09}` become `epoch=000001` and `step=000000123`. Default '{epoch:06}'. */
  filename?: string;
  /** Metric that decides which checkpoints are the best. Default: none, then the newest is kept. */
  monitor?: string | null;
  /** How many are kept; -1: all. Default 1. */
  save_top_k?: number;
  /** Whether a small or a large value of the metric is good. Default 'min'. */
  mode?: 'min' | 'max';
  /** Also write last.ckpt. Default false. */
  save_last?: boolean;
  /** Save every so many steps instead of at the end of epochs. Default 0. */
  every_n_train_steps?: number;
  /** Save at the end of every so many epochs. Default 1. */
  every_n_epochs?: number;
  /** Leave out the optimizers. Default false. */
  save_weights_only?: boolean;
  /** Tell about each file. Default false. */
  verbose?: boolean;
}

/** Saves at the end of each epoch, or every n steps. */
export class ModelCheckpoint implements Callback {
  readonly stateKey: string;
  readonly #options: Required<ModelCheckpointOptions>;
  /** Kept files and their scores; the lower the better. */
  #kept = new Map<string, number>();
  /** Step of the last save: an epoch's end right after an every-n save adds nothing. */
  #lastStep = -1;

  constructor(options: ModelCheckpointOptions) {
    this.#options = {
      dirpath: options.dirpath,
      filename: options.filename ?? '{epoch:06}',
      monitor: options.monitor ?? null,
      save_top_k: options.save_top_k ?? 1,
      mode: options.mode ?? 'min',
      save_last: options.save_last ?? false,
      every_n_train_steps: options.every_n_train_steps ?? 0,
      every_n_epochs: options.every_n_epochs ?? 1,
      save_weights_only: options.save_weights_only ?? false,
      verbose: options.verbose ?? false,
    };
    const { monitor, mode, every_n_train_steps } = this.#options;
    this.stateKey = `ModelCheckpoint{'monitor': ${JSON.stringify(monitor)}, 'mode': '${mode}', 'every_n_train_steps': ${every_n_train_steps}}`;
  }

  /** Path of the best checkpoint, or of the newest where nothing is monitored; null before the first. */
  get bestModelPath(): string | null {
    const best = [...this.#kept].sort((a, b) => a[1] - b[1])[0];
    return best ? best[0] : null;
  }

  async onTrainBatchEnd(trainer: TrainerView, event: BatchEvent): Promise<void> {
    const every = this.#options.every_n_train_steps;
    if (every > 0 && event.stepped && (trainer.globalStep + 1) % every === 0) await this.#save(trainer);
  }

  async onTrainEpochEnd(trainer: TrainerView): Promise<void> {
    const { every_n_train_steps, every_n_epochs } = this.#options;
    const due = every_n_epochs > 0 && (trainer.currentEpoch + 1) % every_n_epochs === 0;
    if (every_n_train_steps === 0 && due) await this.#save(trainer);
  }

  state(): Record<string, string | number | null> {
    const kept = [...this.#kept].map(([file, score]) => [path.basename(file), score]);
    return { kept: JSON.stringify(kept), last_step: this.#lastStep };
  }

  loadState(state: ReadonlyMap<string, unknown>): void {
    const kept = JSON.parse(String(state.get('kept') ?? '[]')) as [string, number][];
    const here = kept.map(([name, score]) => [path.join(this.#options.dirpath, name), score] as const);
    this.#kept = new Map(here.filter(([file]) => fs.existsSync(file)));
    this.#lastStep = Number(state.get('last_step') ?? -1);
  }

  async #save(trainer: TrainerView): Promise<void> {
    if (trainer.globalStep === this.#lastStep) return;
    this.#lastStep = trainer.globalStep;
    const { dirpath, save_top_k, save_last, save_weights_only, verbose } = this.#options;
    const write = { weightsOnly: save_weights_only };
    const score = this.#score(trainer);
    if (save_top_k !== 0 && this.#isAmongBest(score)) {
      const file = this.#freeName(trainer);
      this.#kept.set(file, score);
      const dropped = this.#dropWorst();
      await trainer.saveCheckpoint(file, write);
      if (verbose) trainer.info(`Saved ${file}`);
      for (const worst of dropped) fs.rmSync(worst, { force: true });
    }
    if (save_last) await trainer.saveCheckpoint(path.join(dirpath, 'last.ckpt'), write);
  }

  /** Lower is better. Without a metric (or when validation has not produced it yet) the newest is the best. */
  #score(trainer: TrainerView): number {
    const { monitor, mode } = this.#options;
    if (monitor === null) return -trainer.globalStep;
    const value = trainer.metrics[monitor] ?? Number.NaN;
    if (Number.isNaN(value)) return Number.POSITIVE_INFINITY;
    return mode === 'min' ? value : -value;
  }

  #isAmongBest(score: number): boolean {
    const { save_top_k } = this.#options;
    if (save_top_k < 0 || this.#kept.size < save_top_k) return true;
    return [...this.#kept.values()].some((s) => score < s);
  }

  #dropWorst(): string[] {
    const { save_top_k } = this.#options;
    if (save_top_k < 0) return [];
    const order = [...this.#kept].sort((a, b) => a[1] - b[1]);
    const dropped = order.slice(save_top_k).map(([file]) => file);
    for (const file of dropped) this.#kept.delete(file);
    return dropped;
  }

  /** Lightning's rule: a name that is taken gets `-v1`, `-v2`, ... */
  #freeName(trainer: TrainerView): string {
    const { dirpath, filename } = this.#options;
    const name = formatCheckpointName(filename, {
      epoch: trainer.currentEpoch,
      step: trainer.globalStep,
      ...trainer.metrics,
    });
    for (let version = 0; ; version++) {
      const file = path.join(dirpath, version === 0 ? `${name}.ckpt` : `${name}-v${version}.ckpt`);
      if (!fs.existsSync(file)) return file;
    }
  }
}

/** Fills `{name:format}` with `name=value`; formats are Python's for integers (`06`) and fixed point (`.4f`). */
export function formatCheckpointName(pattern: string, values: Readonly<Record<string, number>>): string {
  return pattern.replace(/\{([^}:]+)(?::([^}]*))?\}/g, (_, name: string, format = '') => {
    const value = values[name] ?? 0;
    const fixed = /^\.(\d+)f$/.exec(format);
    const padded = /^0(\d+)d?$/.exec(format);
    const text = fixed
      ? value.toFixed(Number(fixed[1]))
      : padded
        ? String(value).padStart(Number(padded[1]), '0')
        : String(value);
    return `${name.replaceAll('/', '_')}=${text}`;
  });
}
