/** Preprocessing of images with boxes (taming/data: annotated_objects_dataset.py, image_transforms.py). */
import { type ImageSource, readRgb } from '../decode';
import type { BoundingBox } from '../objects/annotation';
import { cut, mirror, type Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { resizeTorch, resizeTorchShorter } from '../resize/torchvision';
import { pythonRound } from './crops';
import { definePreprocessor } from './preprocessor';

export interface AnnotatedObjectsArgs {
  source: ImageSource;
  /** Side of the result. */
  size: number;
  crop_method: 'none' | 'center' | 'random-1d' | 'random-2d';
  random_flip: boolean;
}

/** What happened to an image: where it was cut, relative to the whole, and whether it was mirrored (null: never is). */
export interface Placement {
  crop_bbox: BoundingBox | null;
  flipped: boolean | null;
}

interface CutImage {
  image: Pixels;
  crop_bbox: BoundingBox | null;
}

const METHODS: Record<
  AnnotatedObjectsArgs['crop_method'],
  (image: Pixels, size: number, random: DataRandom) => CutImage
> = {
  none: (image, size) => ({ image: resizeTorch(image, size, size), crop_bbox: null }),
  center(whole, size) {
    const image = resizeTorchShorter(whole, size);
    const { width, height } = image;
    const [left, top] = [pythonRound((width - size) / 2), pythonRound((height - size) / 2)];
    return { image: cut(image, left, top, size, size), crop_bbox: centreBox(width, height) };
  },
  'random-1d'(whole, size, random) {
    const image = resizeTorchShorter(whole, size);
    const { width, height } = image;
    const [top, left] = [random.below(height - size + 1), random.below(width - size + 1)];
    return {
      image: cut(image, left, top, size, size),
      crop_bbox: [left / width, top / height, size / width, size / height],
    };
  },
  'random-2d'(whole, size, random) {
    const { width, height } = whole;
    const largest = Math.min(width, height);
    const side = largest <= size ? largest : size + random.below(largest - size + 1);
    const [top, left] = [random.below(height - side + 1), random.below(width - side + 1)];
    const image = resizeTorchShorter(cut(whole, left, top, side, side), size);
    return { image, crop_bbox: [left / width, top / height, side / width, side / height] };
  },
};

/** The square in the middle; the reference computes its box from the shape alone. */
function centreBox(width: number, height: number): BoundingBox {
  if (width > height) return [0.5 - height / width / 2, 0, height / width, 1];
  return [0, 0.5 - width / height / 2, 1, width / height];
}

/** Levels as torch computes `x / 127.5 - 1` of bytes, in single precision. */
const CENTRED = Float32Array.from({ length: 256 }, (_, level) => Math.fround(level / 127.5) - 1);

/** `image`; its {@link Placement} is in `info`. */
export const annotatedObjects = definePreprocessor<AnnotatedObjectsArgs>('annotated objects', async (args, random) => {
  const { size, crop_method, random_flip } = args;
  const { image, crop_bbox } = METHODS[crop_method](await readRgb(args.source), size, random);
  const flipped = random_flip ? random.uniform() < 0.5 : null;
  const { data, width, height } = flipped ? mirror(image) : image;
  const values = Float32Array.from(data, (level) => CENTRED[level]);
  return { arrays: { image: { data: values, shape: [height, width, 3] } }, info: { crop_bbox, flipped } };
});
