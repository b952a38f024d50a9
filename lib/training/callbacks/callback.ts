/** What a callback sees of the trainer, and when it is called. The names are Lightning's in camelCase. */
import type { ImageBatch } from '../../data/collate';
import type { Generator } from '../../random';
import type { Metrics } from '../metrics';
import type { Trainable } from '../trainable';

/** The state of a run as callbacks see it. */
export interface TrainerView {
  readonly trainable: Trainable;
  /** Optimizer steps that are done (accumulated batches count once); within batch hooks, without the one in progress. */
  readonly globalStep: number;
  readonly currentEpoch: number;
  /** Root of the log folder. */
  readonly logdir: string;
  /** Latest value of each logged metric. */
  readonly metrics: Readonly<Metrics>;
  readonly signal: AbortSignal;
  /** A generator for what is not training (pictures): it leaves the stream of training alone. */
  sideGenerator(): Generator;
  /** Shows a line to the user. */
  info(message: string): void;
  /** Writes a checkpoint of the whole state, atomically. */
  saveCheckpoint(file: string, options?: { weightsOnly?: boolean }): Promise<void>;
  logImage(tag: string, png: Uint8Array, size: { width: number; height: number; channels: number }): void;
}

export interface BatchEvent {
  batch: ImageBatch;
  /** Number of the batch within the epoch, from 0. */
  batchIdx: number;
  /** Whether an optimizer step ended with this batch. */
  stepped: boolean;
}

/** Hooks are awaited one after another. */
export interface Callback {
  onTrainBatchEnd?(trainer: TrainerView, event: BatchEvent): Promise<void>;
  onValidationBatchEnd?(trainer: TrainerView, event: BatchEvent): Promise<void>;
  /** After validation of the epoch, where there is one. */
  onTrainEpochEnd?(trainer: TrainerView): Promise<void>;
  /** The part of the callback that a checkpoint stores. */
  state?(): Record<string, string | number | null>;
  loadState?(state: ReadonlyMap<string, unknown>): void;
  /** Name under which the state is stored. */
  readonly stateKey?: string;
}
