/** What a callback sees of the trainer, and when it is called. The names are Lightning's in camelCase. */
import type { ImageBatch } from '../../data/collate';
import type { Generator } from '../../random';
import type { ImageSize } from '../loggers/logger';
import type { Metrics } from '../metrics';
import type { Trainable } from '../trainable';

/** The state of a run as callbacks see it. */
export interface TrainerView {
  readonly trainable: Trainable;
  /**
   * Optimizer steps that are done (accumulated batches count once); within the hooks of a batch, its validation and the end
   * of its epoch, without the last one: the number of the step just made.
   */
  readonly globalStep: number;
  readonly currentEpoch: number;
  /** Root of the log folder. */
  readonly logdir: string;
  /** Latest value of each metric. On a GPU those of the last steps may be missing until {@link readLogs}. */
  readonly metrics: Readonly<Metrics>;
  /** Waits for what the device has yet to log. */
  readLogs(): Promise<void>;
  /** The learning rate of each optimizer in the last step. */
  readonly learningRates: readonly number[];
  /** Whether the model has a learning-rate schedule. */
  readonly scheduled: boolean;
  readonly signal: AbortSignal;
  /** A generator for what is not training (pictures): it leaves the stream of training alone. */
  sideGenerator(): Generator;
  /** Shows a line to the user. */
  info(message: string): void;
  /** Asks for an end of training for a reason that is shown. */
  stop(reason: string): void;
  /** Writes a checkpoint of the whole state, atomically. */
  saveCheckpoint(file: string, options?: { weightsOnly?: boolean }): Promise<void>;
  logImage(tag: string, png: Uint8Array, size: ImageSize): void;
}

export interface BatchEvent {
  batch: ImageBatch;
  /** Number of the batch within the epoch, from 0. */
  batchIdx: number;
  /** Whether an optimizer step ended with this batch. */
  stepped: boolean;
}

/** The part of a callback that a checkpoint stores: plain values, also nested. */
export type CallbackState = Record<string, unknown>;

/** Hooks are awaited one after another. */
export interface Callback {
  onTrainStart?(trainer: TrainerView): Promise<void>;
  onTrainBatchEnd?(trainer: TrainerView, event: BatchEvent): Promise<void>;
  onValidationBatchEnd?(trainer: TrainerView, event: BatchEvent): Promise<void>;
  onValidationEnd?(trainer: TrainerView): Promise<void>;
  /** After validation at the end of the epoch, where there is one. */
  onTrainEpochEnd?(trainer: TrainerView): Promise<void>;
  /** More values for what is logged of a step or of an epoch. */
  metrics?(trainer: TrainerView, of: 'step' | 'epoch'): Metrics;
  state?(): CallbackState;
  /** Takes back what {@link state} gave; the values are those of the file, nested ones as maps and arrays. */
  loadState?(state: ReadonlyMap<string, unknown>): void | Promise<void>;
  /** Name under which the state is stored: Lightning's, the class's name and what tells its callbacks apart. */
  readonly stateKey?: string;
}

/** A `state_key` of Lightning: `Name{'a': 1, 'b': None}`. */
export function stateKey(name: string, values: Readonly<Record<string, string | number | boolean | null>>): string {
  const python = (value: string | number | boolean | null) => {
    if (value === null) return 'None';
    if (typeof value === 'boolean') return value ? 'True' : 'False';
    return typeof value === 'number' ? String(value) : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  };
  const pairs = Object.entries(values).map(([key, value]) => `'${key}': ${python(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}
