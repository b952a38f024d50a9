/** What a data set is to the loader. */
import type { Preprocess } from './preprocess/preprocessor';
import type { DataRandom } from './random';

/** An array of numbers: a picture [height, width, channels], a vector of tokens. */
export interface ArrayValue {
  data: Float32Array | Float64Array | Uint8Array | BigInt64Array;
  shape: readonly number[];
  /**
   * `data` are labels below this number, and what is meant is one channel for each of them: the batch holds float32
   * [..., oneHot] with 1 at the label.
   */
  oneHot?: number;
}

/**
 * What a data set tells about one item, under the reference's key names. Of a key that all samples of a batch have, arrays
 * are stacked, integers become an int64 vector, and everything else a list.
 */
export interface Sample {
  /** [height, width, 3] in [-1, 1]. */
  image?: ArrayValue;
  /** Index of the class, from 0; absent where the data set has no classes. */
  class_label?: number;
  /** Name of the class. */
  human_label?: string;
  /** A text that describes the image; absent where there are no captions. */
  caption?: string;
  /** Where the image came from. */
  file_path_?: string;
  /** Whatever else: LR_image, segmentation, objects_bbox, ... */
  [key: string]: unknown;
}

/** A finite, indexable set of samples. Implementations decode off the main thread. */
export interface Dataset {
  readonly length: number;
  /** Names of the classes by label; empty where there are none. */
  readonly classNames: readonly string[];
  /** Name of item `index` for messages. */
  nameOf(index: number): string;
  /**
   * Reads one sample. Whatever is random about it (crop, flip) comes from `random`.
   * @param preprocess runs what is costly, perhaps in another thread; default: in this one
   * @throws LdmError ERR_DATA when the item cannot be read
   */
  get(index: number, random: DataRandom, preprocess?: Preprocess): Promise<Sample>;
}

/** One item of an {@link IterableDataset}. */
export interface IterableItem {
  /** For messages. */
  name: string;
  /** Reads it, as {@link Dataset.get}. */
  get(random: DataRandom, preprocess?: Preprocess): Promise<Sample>;
}

/** A data set that is read from front to back, such as archives of samples. It has its own order. */
export interface IterableDataset {
  /** Items of an epoch as far as known; may be off, or Infinity. Serves progress only. */
  readonly length: number;
  readonly classNames: readonly string[];
  /**
   * The items of an epoch.
   * @param at.position items to pass over: the order from there on is the same as in a run from the beginning
   * @param at.random decides on the order; the same for the whole epoch
   */
  items(at: { epoch: number; position: number; random: DataRandom }): AsyncIterable<IterableItem>;
}
