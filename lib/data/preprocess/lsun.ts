/** Preprocessing of LSUNBase (ldm/data/lsun.py): the largest square in the middle, resized by Pillow, perhaps mirrored. */
import { type ImageSource, readRgb } from '../decode';
import { centred, cut, mirror } from '../pixels';
import { type PilInterpolation, resizePil } from '../resize/pil';
import { definePreprocessor } from './preprocessor';

export interface LsunArgs {
  source: ImageSource;
  /** Side of the result; null: the side of the square. */
  size: number | null;
  interpolation: PilInterpolation;
  /** Probability of mirroring. */
  flip_p: number;
}

export const lsun = definePreprocessor<LsunArgs>('lsun', async ({ source, size, interpolation, flip_p }, random) => {
  const image = await readRgb(source);
  const side = Math.min(image.width, image.height);
  // Python cuts from floor((h - side) / 2) to floor((h + side) / 2), which are `side` apart.
  const square = cut(image, (image.width - side) >> 1, (image.height - side) >> 1, side, side);
  const resized = size === null ? square : resizePil(square, size, size, interpolation);
  const { data, width, height } = random.uniform() < flip_p ? mirror(resized) : resized;
  return { arrays: { image: { data: centred(data), shape: [height, width, 3] } } };
});
