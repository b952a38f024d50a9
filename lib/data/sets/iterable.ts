/** The base of data sets that are read from front to back (reference: ldm/data/base.py, worker_init_fn of main.py). */
import type { IterableDataset, IterableItem } from '../dataset';
import type { DataRandom } from '../random';

export interface IterableOptions<Id> {
  /** Samples of an epoch; 0: not known. Default 0. */
  num_records?: number;
  /** What the data set consists of: archives, rows, ... */
  valid_ids: readonly Id[];
  /** Side of the images in pixels. Default 256. */
  size?: number;
}

/** Extend it for text-to-image data of your own: {@link items} goes through `sample_ids`. */
export abstract class Txt2ImgIterableBaseDataset<Id = unknown> implements IterableDataset {
  readonly classNames: readonly string[] = [];
  readonly num_records: number;
  readonly valid_ids: readonly Id[];
  readonly size: number;
  /** The ids that {@link items} goes through: all, or a worker's part of them. */
  sample_ids: readonly Id[];

  constructor({ num_records = 0, valid_ids, size = 256 }: IterableOptions<Id>) {
    this.num_records = num_records;
    this.valid_ids = valid_ids;
    this.sample_ids = valid_ids;
    this.size = size;
  }

  get length(): number {
    return this.num_records || Number.POSITIVE_INFINITY;
  }

  /**
   * Leaves this instance one worker's part of the ids, such as one of several processes that train together. Parts differ
   * by one at most, where the reference drops what cannot be divided.
   */
  split(worker: number, workers: number): void {
    this.sample_ids = this.valid_ids.filter((_, i) => i % workers === worker);
  }

  abstract items(at: { epoch: number; position: number; random: DataRandom }): AsyncIterable<IterableItem>;
}
