/** What a data set is to the loader. */
import type { DataRandom } from './random';

/** One image with what is known about it, under the reference's key names. */
export interface Sample {
  /** Pixels in [-1, 1], row-major height x width x 3. */
  image: Float32Array;
  height: number;
  width: number;
  /** Index of the class, from 0; absent where the data set has no classes. */
  class_label?: number;
  /** Name of the class. */
  human_label?: string;
  /** A text that describes the image; absent where there are no captions. */
  caption?: string;
  /** Where the image came from. */
  file_path_: string;
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
   * @throws LdmError ERR_DATA when the item cannot be read
   */
  get(index: number, random: DataRandom): Promise<Sample>;
}
