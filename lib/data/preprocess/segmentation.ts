/** Preprocessing of images with maps of labels (taming/data: sflckr.py, ade20k.py, coco.py). Both are cut at the same place. */
import { LdmError } from '../../errors';
import type { ArrayValue } from '../dataset';
import { type ImageSource, readLabels, readRgb } from '../decode';
import { centred, type Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { type OpenCvInterpolation, resizeOpenCv } from '../resize/opencv';
import { centerCut, cutAt, randomCut, smallestMaxSize } from './crops';
import { definePreprocessor, type Preprocessed } from './preprocessor';

interface CutOptions {
  /** Shorter side before cutting; null: as it is, and nothing is cut. */
  size: number | null;
  /** Side of the cut. */
  crop_size: number | null;
  random_crop: boolean;
}

export interface SegmentationArgs extends CutOptions {
  source: ImageSource;
  segmentation: ImageSource;
  interpolation: OpenCvInterpolation;
  /** Labels are below this number. */
  n_labels: number;
  /** Add 1 to every label, modulo 256. */
  shift: boolean;
}

/** `image`, and `segmentation` with one channel for each label. */
export const segmentation = definePreprocessor<SegmentationArgs>('segmentation', async (args, random) => {
  const [picture, labels] = await Promise.all([readRgb(args.source), readLabels(args.segmentation)]);
  const shifted = args.shift ? shiftLabels(labels) : labels;
  checkSizes(picture, shifted, args.segmentation);
  const { size, interpolation } = args;
  const [image, map] =
    size === null
      ? [picture, shifted]
      : cutBoth(smallestMaxSize(picture, size, interpolation), smallestMaxSize(shifted, size, 'nearest'), args, random);
  return result(image, oneHot(map, args.n_labels, args.segmentation));
});

/** Labels of COCO-Stuff: 0 is unlabelled (255 in the file), then things and stuff. */
const COCO_LABELS = 183;

export interface CocoArgs extends CutOptions {
  source: ImageSource;
  segmentation: ImageSource;
  size: number;
  /** One channel for each label instead of a picture of the map. */
  onehot: boolean;
  /** Stretch to a square instead of cutting one. */
  stretch: boolean;
}

/** `image` and `segmentation`. As in the reference, the map is interpolated like a picture, also where it holds labels. */
export const coco = definePreprocessor<CocoArgs>('coco', async (args, random) => {
  const { size, onehot, stretch } = args;
  const [picture, file] = await Promise.all([
    readRgb(args.source),
    onehot ? readLabels(args.segmentation) : readRgb(args.segmentation),
  ]);
  checkSizes(picture, file, args.segmentation);
  const map = onehot ? shiftLabels(file) : file;
  const resize = (image: Pixels) => (stretch ? stretched(image, size) : smallestMaxSize(image, size));
  const [a, b] = [resize(picture), resize(map)];
  const [image, cut] = stretch ? [a, b] : cutBoth(a, b, args, random);
  if (onehot) return result(image, oneHot(cut, COCO_LABELS, args.segmentation));
  return result(image, { data: centred(cut.data), shape: [cut.height, cut.width, 3] });
});

function stretched(image: Pixels, size: number): Pixels {
  return image.width === size && image.height === size ? image : resizeOpenCv(image, size, size, 'linear');
}

function cutBoth(image: Pixels, map: Pixels, { size, crop_size, random_crop }: CutOptions, random: DataRandom) {
  const side = crop_size ?? size!;
  const place = random_crop ? randomCut(image, side, side, random) : centerCut(image, side, side);
  return [cutAt(image, place), cutAt(map, place)];
}

/** 255 becomes 0. */
function shiftLabels(labels: Pixels): Pixels {
  return { ...labels, data: labels.data.map((label) => label + 1) };
}

function oneHot({ data, width, height }: Pixels, labels: number, source: ImageSource): ArrayValue {
  const highest = data.reduce((a, b) => Math.max(a, b), 0);
  if (highest >= labels)
    throw new LdmError(
      'ERR_DATA',
      `${nameOf(source)} has the label ${highest}, but there are ${labels} labels, from 0 to ${labels - 1}.`,
    );
  return { data, shape: [height, width], oneHot: labels };
}

function checkSizes(image: Pixels, map: Pixels, source: ImageSource): void {
  if (image.width !== map.width || image.height !== map.height)
    throw new LdmError(
      'ERR_DATA',
      `${nameOf(source)} has ${map.width}x${map.height} pixels, but its image has ${image.width}x${image.height}.`,
    );
}

function nameOf(source: ImageSource): string {
  return typeof source === 'string' ? source : source.name;
}

function result({ data, width, height }: Pixels, map: ArrayValue): Preprocessed {
  return { arrays: { image: { data: centred(data), shape: [height, width, 3] }, segmentation: map } };
}
