/**
 * Batches from a data set: a seeded order, a queue of samples that are decoded ahead, and unreadable items left out.
 * What a batch holds depends on the seed, the epoch and the position only, never on which image was decoded first; so a
 * run can be taken up again in the middle of an epoch.
 */
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import type { Dataset, Sample } from './dataset';
import { DataRandom } from './random';

/** A batch under the reference's key names. */
export interface ImageBatch {
  /** [batch, height, width, 3] in [-1, 1], float32. */
  image: Tensor;
  /** [batch], int64. */
  class_label?: Tensor;
  human_label?: string[];
  caption?: string[];
  file_path_: string[];
}

/** A batch and where it stands in its epoch. */
export interface LoadedBatch {
  batch: ImageBatch;
  /** Samples in it: the last batch of an epoch may be smaller. */
  size: number;
  /** Place in the epoch's order after this batch: {@link DataLoader.batches} goes on from there. */
  position: number;
  /** Whether the epoch ends with this batch. */
  last: boolean;
}

export interface DataLoaderOptions {
  batchSize: number;
  /** Another order in each epoch. Default false: by index. */
  shuffle?: boolean;
  /** Seed of order and augmentation. Default 0. */
  seed?: number;
  /** Samples that are decoded ahead, in batches. Default 2. */
  prefetch?: number;
  /** Leave out a last batch that is not full. Default false, as in the reference. */
  dropLast?: boolean;
  /** Called once for each item that cannot be read. */
  onSkip?: (name: string, error: Error, skipped: number) => void;
}

/** Iterates over a data set in batches. */
export class DataLoader {
  readonly dataset: Dataset;
  readonly batchSize: number;
  readonly #options: Required<Omit<DataLoaderOptions, 'onSkip'>> & Pick<DataLoaderOptions, 'onSkip'>;
  readonly #bad = new Set<number>();

  constructor(dataset: Dataset, options: DataLoaderOptions) {
    if (!Number.isInteger(options.batchSize) || options.batchSize < 1)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a batch size of at least 1 but received ${options.batchSize}`,
      );
    this.dataset = dataset;
    this.batchSize = options.batchSize;
    this.#options = { shuffle: false, seed: 0, prefetch: 2, dropLast: false, ...options };
  }

  /** Batches in an epoch as far as known: items that turned out to be unreadable are not counted. */
  get length(): number {
    const usable = (this.dataset.length - this.#bad.size) / this.batchSize;
    return this.#options.dropLast ? Math.floor(usable) : Math.ceil(usable);
  }

  /** Names of the items that could not be read so far. */
  get skipped(): string[] {
    return [...this.#bad].map((i) => this.dataset.nameOf(i));
  }

  /**
   * Makes sure that at least one item can be read, so that a useless folder is found before anything is set up.
   * @throws LdmError ERR_DATA when none can
   */
  async check(): Promise<void> {
    let last: Error | undefined;
    for (let i = 0; i < this.dataset.length; i++) {
      const sample = await this.#read(i, 0);
      if (!(sample instanceof Error)) return;
      last = sample;
    }
    throw new LdmError(
      'ERR_DATA',
      `None of the ${this.dataset.length} images can be read. The last one: ${last?.message}`,
    );
  }

  /**
   * The batches of one epoch.
   * @param epoch number of the epoch, from 0; it decides on order and augmentation
   * @param position where to begin in the epoch's order (0, or a {@link LoadedBatch.position})
   */
  async *batches(epoch: number, position = 0): AsyncGenerator<LoadedBatch> {
    const { seed, shuffle, prefetch, dropLast } = this.#options;
    const n = this.dataset.length;
    const order = shuffle ? new DataRandom(seed, epoch).permutation(n) : Uint32Array.from({ length: n }, (_, i) => i);
    const ahead: Promise<Sample | Error>[] = [];
    let next = position;
    let samples: Sample[] = [];
    // One batch is held back: only when the next one is there is it known that this one is not the last.
    let held: { samples: Sample[]; position: number } | undefined;
    const loaded = (last: boolean): LoadedBatch => ({
      batch: collate(held!.samples),
      size: held!.samples.length,
      position: last ? n : held!.position,
      last,
    });
    for (let at = position; at < n; at++) {
      while (next < n && ahead.length < this.batchSize * (prefetch + 1)) ahead.push(this.#read(order[next++], epoch));
      const sample = await ahead.shift()!;
      if (sample instanceof Error) continue;
      samples.push(sample);
      if (samples.length < this.batchSize) continue;
      if (held) yield loaded(false);
      held = { samples, position: at + 1 };
      samples = [];
    }
    if (samples.length > 0 && !dropLast) {
      if (held) yield loaded(false);
      held = { samples, position: n };
    }
    if (held) yield loaded(true);
  }

  /** An unreadable item is reported once and becomes its error; a promise that nobody awaits any more must not reject. */
  async #read(index: number, epoch: number): Promise<Sample | Error> {
    try {
      return await this.dataset.get(index, new DataRandom(this.#options.seed, epoch, index + 1));
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      if (!this.#bad.has(index)) {
        this.#bad.add(index);
        this.#options.onSkip?.(this.dataset.nameOf(index), reason, this.#bad.size);
      }
      return reason;
    }
  }
}

/** Stacks samples into a batch. Optional keys are there when all samples have them. */
export function collate(samples: readonly Sample[]): ImageBatch {
  const { height, width } = samples[0];
  const odd = samples.find((s) => s.height !== height || s.width !== width);
  if (odd)
    throw new LdmError(
      'ERR_DATA',
      `Images of one batch must have one size: ${samples[0].file_path_} is ${width}x${height}, ${odd.file_path_} is ${odd.width}x${odd.height}.`,
    );
  const pixels = new Float32Array(samples.length * height * width * 3);
  samples.forEach((s, i) => {
    pixels.set(s.image, i * height * width * 3);
  });
  const batch: ImageBatch = {
    image: Tensor.from(pixels, [samples.length, height, width, 3]),
    file_path_: samples.map((s) => s.file_path_),
  };
  if (samples.every((s) => s.class_label !== undefined)) {
    batch.class_label = Tensor.from(BigInt64Array.from(samples, (s) => BigInt(s.class_label!)));
    batch.human_label = samples.map((s) => s.human_label ?? String(s.class_label));
  }
  if (samples.every((s) => s.caption !== undefined)) batch.caption = samples.map((s) => s.caption!);
  return batch;
}

/** Frees the tensors of a batch. */
export function disposeBatch(batch: ImageBatch): void {
  batch.image.dispose();
  batch.class_label?.dispose();
}
