/**
 * Batches from a data set: a seeded order, a queue of samples that are decoded ahead, and unreadable items left out.
 * What a batch holds depends on the seed, the epoch and the position only, never on which image was decoded first; so a
 * run can be taken up again in the middle of an epoch.
 */
import { LdmError } from '../errors';
import { collate, type ImageBatch } from './collate';
import type { Dataset, IterableDataset, IterableItem, Sample } from './dataset';
import type { Preprocess } from './preprocess/preprocessor';
import { DataRandom } from './random';

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
  /** Another order in each epoch. Default false: by index. Iterable data sets shuffle themselves. */
  shuffle?: boolean;
  /** Seed of order and augmentation. Default 0. */
  seed?: number;
  /** Samples that are decoded ahead, in batches. Default 2. */
  prefetch?: number;
  /** Leave out a last batch that is not full. Default false, as in the reference. */
  dropLast?: boolean;
  /** Runs what is costly: a WorkerPool's `preprocess`. Default: the caller's thread. */
  preprocess?: Preprocess;
  /** What to do about an item that cannot be read: 'skip' (default) goes on without it, 'error' stops. */
  onBadFile?: 'skip' | 'error';
  /** Called once for each item that cannot be read, in the order of the epoch. */
  onSkip?: (name: string, error: Error, skipped: number) => void;
}

/** An item of an epoch's order. */
interface Item extends IterableItem {
  /** Tells items apart, over epochs; and with the seed and the epoch it names the item's stream of random numbers. */
  id: number;
}

type Defaulted = 'onSkip' | 'preprocess';

const DEFAULTS = { shuffle: false, seed: 0, prefetch: 2, dropLast: false, onBadFile: 'skip' } as const;

/** Iterates over a data set in batches. */
export class DataLoader {
  readonly dataset: Dataset | IterableDataset;
  readonly batchSize: number;
  readonly #options: Required<Omit<DataLoaderOptions, Defaulted>> & Pick<DataLoaderOptions, Defaulted>;
  readonly #bad = new Set<string>();

  constructor(dataset: Dataset | IterableDataset, options: DataLoaderOptions) {
    if (!Number.isInteger(options.batchSize) || options.batchSize < 1)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a batch size of at least 1 but received ${options.batchSize}`,
      );
    this.dataset = dataset;
    this.batchSize = options.batchSize;
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...DEFAULTS, ...(given as unknown as DataLoaderOptions) };
  }

  /** Batches in an epoch as far as known: items that turned out to be unreadable are not counted. */
  get length(): number {
    const usable = (this.dataset.length - this.#bad.size) / this.batchSize;
    return this.#options.dropLast ? Math.floor(usable) : Math.ceil(usable);
  }

  /** The position at which an epoch is over. */
  get end(): number {
    // The number of records of an iterable data set is what a config says, or not known at all.
    return isIterable(this.dataset) ? Number.MAX_SAFE_INTEGER : this.dataset.length;
  }

  /** Names of the items that could not be read so far. */
  get skipped(): string[] {
    return [...this.#bad];
  }

  /**
   * Makes sure that at least one item can be read, so that a useless folder is found before anything is set up.
   * @throws LdmError ERR_DATA when none can
   */
  async check(): Promise<void> {
    let last: Error | undefined;
    let count = 0;
    for await (const item of this.#items(0, 0, false)) {
      count++;
      const sample = await this.#read(item, 0);
      if (!(sample instanceof Unreadable)) return;
      this.#report(sample);
      last = sample.reason;
      if (this.#options.onBadFile === 'error') throw stopped(last);
    }
    throw new LdmError(
      'ERR_DATA',
      count === 0
        ? 'The data set is empty.'
        : `None of the ${count} images can be read. The last one: ${last?.message}`,
    );
  }

  /**
   * The batches of one epoch.
   * @param epoch number of the epoch, from 0; it decides on order and augmentation
   * @param position where to begin in the epoch's order (0, or a {@link LoadedBatch.position})
   * @throws LdmError ERR_DATA for an unreadable item with onBadFile 'error'
   */
  async *batches(epoch: number, position = 0): AsyncGenerator<LoadedBatch> {
    const { shuffle, prefetch, dropLast, onBadFile } = this.#options;
    const items = this.#items(epoch, position, shuffle);
    const ahead: Promise<Sample | Unreadable>[] = [];
    let exhausted = false;
    const fill = async () => {
      while (!exhausted && ahead.length < this.batchSize * (prefetch + 1)) {
        const { value, done } = await items.next();
        if (done) exhausted = true;
        else ahead.push(this.#read(value, epoch));
      }
    };
    let samples: Sample[] = [];
    // One batch is held back: only when the next one is there is it known that this one is not the last.
    let held: { samples: Sample[]; position: number } | undefined;
    const loaded = (last: boolean): LoadedBatch => ({
      batch: collate(held!.samples),
      size: held!.samples.length,
      position: last ? this.end : held!.position,
      last,
    });
    try {
      for (let at = position; ; at++) {
        await fill();
        const sample = await ahead.shift();
        if (sample === undefined) break;
        if (sample instanceof Unreadable) {
          this.#report(sample);
          if (onBadFile === 'error') throw stopped(sample.reason);
          continue;
        }
        samples.push(sample);
        if (samples.length < this.batchSize) continue;
        if (held) yield loaded(false);
        held = { samples, position: at + 1 };
        samples = [];
      }
      if (samples.length > 0 && !dropLast) {
        if (held) yield loaded(false);
        held = { samples, position: this.end };
      }
      if (held) yield loaded(true);
    } finally {
      // An iterable data set may have a file open.
      await items.return(undefined);
    }
  }

  /** The items of an epoch in order, from a position on. */
  async *#items(epoch: number, position: number, shuffle: boolean): AsyncGenerator<Item, undefined> {
    const { dataset } = this;
    const random = new DataRandom(this.#options.seed, epoch);
    if (isIterable(dataset)) {
      let id = position;
      for await (const item of dataset.items({ epoch, position, random })) yield { ...item, id: id++ };
      return;
    }
    const order = shuffle ? random.permutation(dataset.length) : undefined;
    for (let at = position; at < dataset.length; at++) {
      const id = order ? order[at] : at;
      yield { id, name: dataset.nameOf(id), get: (...args) => dataset.get(id, ...args) };
    }
  }

  /** A promise that nobody awaits any more must not reject. */
  async #read({ id, name, get }: Item, epoch: number): Promise<Sample | Unreadable> {
    const { seed, preprocess } = this.#options;
    try {
      return await get(new DataRandom(seed, epoch, id + 1), preprocess);
    } catch (error) {
      return new Unreadable(name, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Tells once of an unreadable item, when it is its turn: decoding ahead finds them in any order. */
  #report({ name, reason }: Unreadable): void {
    if (this.#bad.has(name)) return;
    this.#bad.add(name);
    this.#options.onSkip?.(name, reason, this.#bad.size);
  }
}

/** What an item became that cannot be read. */
class Unreadable {
  readonly name: string;
  readonly reason: Error;
  constructor(name: string, reason: Error) {
    this.name = name;
    this.reason = reason;
  }
}

function isIterable(dataset: Dataset | IterableDataset): dataset is IterableDataset {
  return 'items' in dataset;
}

function stopped(error: Error): LdmError {
  return new LdmError(
    'ERR_DATA',
    `${error.message} Mend or remove the file, or leave such files out with --on-bad-file skip.`,
    { cause: error },
  );
}
