/** Images by their paths, and data sets one after another (reference: taming/data/base.py). */
import type { ImagePathsParams } from '../../config/targets/data-sets/lists';
import type { Dataset, Sample } from '../dataset';
import { imagePaths } from '../preprocess/image-paths';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';

export interface ImagePathsOptions {
  /** Side of the images in pixels; null or 0: as they are. Default null. */
  size?: number | null;
  /** Cut the square at random instead of at the centre. Default false. */
  random_crop?: boolean;
  /** What else is known about each image. */
  labels?: Readonly<Record<string, readonly unknown[]>>;
  classNames?: readonly string[];
}

/** Images whose shorter side becomes `size` and of which a square is cut out: `image`, `file_path_` and the labels. */
export class ImagePaths implements Dataset {
  readonly classNames: readonly string[];
  readonly #paths: readonly string[];
  readonly #options: ImagePathsOptions;
  /** Whether the files are numpy's. */
  protected readonly numpy: boolean = false;

  constructor(paths: readonly string[], options: ImagePathsOptions = {}) {
    this.#paths = paths;
    this.#options = options;
    this.classNames = options.classNames ?? [];
  }

  get length(): number {
    return this.#paths.length;
  }

  nameOf(index: number): string {
    return this.#paths[index];
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const { size, random_crop = false, labels = {} } = this.#options;
    const source = this.#paths[index];
    const args = { source, numpy: this.numpy, size: size || null, random_crop };
    const { arrays } = await preprocess(imagePaths, args, random);
    const known = Object.entries(labels).map(([key, values]) => [key, values[index]]);
    return { ...arrays, ...Object.fromEntries(known), file_path_: source };
  }
}

/** {@link ImagePaths} of files that numpy.save wrote: bytes [1, 3, height, width]. */
export class NumpyPaths extends ImagePaths {
  protected override readonly numpy: boolean = true;
}

/** Data sets one after another; each sample comes with the number of its data set. */
export class ConcatDatasetWithIndex {
  readonly #datasets: readonly Dataset[];

  constructor(datasets: readonly Dataset[]) {
    this.#datasets = datasets;
  }

  get length(): number {
    return this.#datasets.reduce((sum, { length }) => sum + length, 0);
  }

  nameOf(index: number): string {
    const { dataset, at } = this.#find(index);
    return dataset.nameOf(at);
  }

  async get(index: number, random: DataRandom, preprocess?: Preprocess): Promise<[Sample, number]> {
    const { dataset, at, number } = this.#find(index);
    return [await dataset.get(at, random, preprocess), number];
  }

  #find(index: number): { dataset: Dataset; at: number; number: number } {
    let at = index;
    for (const [number, dataset] of this.#datasets.entries()) {
      if (at < dataset.length) return { dataset, at, number };
      at -= dataset.length;
    }
    throw new RangeError(`no item ${index} among ${this.length}`);
  }
}

registerDataset('taming.data.base.ImagePaths', ({ paths, ...options }: ImagePathsParams) => {
  return new ImagePaths(paths, options);
});
registerDataset('taming.data.base.NumpyPaths', ({ paths, ...options }: ImagePathsParams) => {
  return new NumpyPaths(paths, options);
});
