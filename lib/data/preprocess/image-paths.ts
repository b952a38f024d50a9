/** Preprocessing of ImagePaths and NumpyPaths (taming/data/base.py): the shorter side to a size, then a square of it. */
import { type ImageSource, readRgb } from '../decode';
import { readNpyImage } from '../npy-image';
import { centred, mirror, type Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { centerCut, cutAt, randomCut, smallestMaxSize } from './crops';
import { definePreprocessor, type Preprocessed } from './preprocessor';

export interface ImagePathsArgs {
  source: ImageSource;
  /** A numpy file [1, 3, height, width] of bytes instead of an image file. */
  numpy: boolean;
  /** Side of the result; null: the image as it is. */
  size: number | null;
  random_crop: boolean;
}

export const imagePaths = definePreprocessor<ImagePathsArgs>('image paths', async (args, random) => {
  const { source, numpy, size, random_crop } = args;
  const image = numpy ? await readNpyImage(source) : await readRgb(source);
  return imageOf(size === null ? image : square(image, size, random_crop, random));
});

/** The shorter side becomes `size`, and a square of it is cut out. */
function square(image: Pixels, size: number, anywhere: boolean, random: DataRandom): Pixels {
  const scaled = smallestMaxSize(image, size);
  return cutAt(scaled, anywhere ? randomCut(scaled, size, size, random) : centerCut(scaled, size, size));
}

export interface ScaledCropArgs {
  source: ImageSource;
  /** Shorter side before cutting; null: as it is, unless it is smaller than the cut. */
  size: number | null;
  /** Side of the cut; null: `size`. */
  crop_size: number | null;
  random_crop: boolean;
  /** Probability of mirroring. */
  flip_p: number;
}

/** The shorter side to one size, a square of another. */
export const scaledCrop = definePreprocessor<ScaledCropArgs>('scaled crop', async (args, random) => {
  const { source, size, random_crop, flip_p } = args;
  const crop = args.crop_size ?? size;
  let image = await readRgb(source);
  if (size !== null) image = smallestMaxSize(image, size);
  if (crop !== null) {
    if (Math.min(image.width, image.height) < crop) image = smallestMaxSize(image, crop);
    image = cutAt(image, random_crop ? randomCut(image, crop, crop, random) : centerCut(image, crop, crop));
  }
  return imageOf(flip_p > 0 && random.uniform() < flip_p ? mirror(image) : image);
});

/** The sample's `image`. */
export function imageOf({ data, width, height }: Pixels): Preprocessed {
  return { arrays: { image: { data: centred(data), shape: [height, width, 3] } } };
}
