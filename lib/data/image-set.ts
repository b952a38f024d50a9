/** A data set of image files, whatever tells their classes: the common part of ImageFolder and FluentEmoji. */
import type { Dataset, Sample } from './dataset';
import { cropImage, decodeImage, type ImageOptions, type RgbImage } from './image';
import type { DataRandom } from './random';

/** One image file. */
export interface ImageItem {
  /** Path for reading. */
  file: string;
  /** Name for messages and `file_path_`. */
  name: string;
  class_label?: number;
  caption?: string;
}

export interface ImageSetOptions extends ImageOptions {
  /** Decoded images are kept in memory up to this many MB (2^20 bytes); 0 decodes anew every time. */
  cache_mb: number;
  /**
   * Probability that a label is replaced by the number of classes, a label that stands for "any class": what
   * classifier-free guidance needs (Ho & Salimans 2022). The model needs one class more then.
   */
  drop_label_p: number;
  /**
   * Probability that a caption is replaced by the empty text, which stands for "any picture": what classifier-free
   * guidance needs of a model of texts.
   */
  drop_caption_p: number;
}

/** Images read from files, resized once and kept in memory as long as there is room. */
export class ImageSet implements Dataset {
  readonly classNames: readonly string[];
  readonly #items: readonly ImageItem[];
  readonly #options: ImageSetOptions;
  readonly #cache = new Map<number, RgbImage>();
  #cacheBytes = 0;

  constructor(items: readonly ImageItem[], classNames: readonly string[], options: ImageSetOptions) {
    this.#items = items;
    this.classNames = classNames;
    this.#options = options;
  }

  get length(): number {
    return this.#items.length;
  }

  nameOf(index: number): string {
    return this.#items[index].name;
  }

  async get(index: number, random: DataRandom): Promise<Sample> {
    const item = this.#items[index];
    const image = this.#cache.get(index) ?? this.#keep(index, await decodeImage(item.file, this.#options, item.name));
    const { size, drop_label_p, drop_caption_p } = this.#options;
    const pixels = cropImage(image, this.#options, random);
    const label = random.uniform() < drop_label_p ? this.classNames.length : item.class_label;
    // No number is drawn for an option that is off: the stream of other configs stays as it is.
    const dropped = drop_caption_p > 0 && random.uniform() < drop_caption_p;
    return {
      image: { data: pixels, shape: [size, size, 3] },
      file_path_: item.name,
      ...(item.class_label === undefined || label === undefined
        ? {}
        : { class_label: label, human_label: this.classNames[label] ?? 'any' }),
      ...(item.caption === undefined ? {} : { caption: dropped ? '' : item.caption }),
    };
  }

  #keep(index: number, image: RgbImage): RgbImage {
    if (this.#cacheBytes + image.data.byteLength <= this.#options.cache_mb * 2 ** 20 && !this.#cache.has(index)) {
      this.#cache.set(index, image);
      this.#cacheBytes += image.data.byteLength;
    }
    return image;
  }
}
