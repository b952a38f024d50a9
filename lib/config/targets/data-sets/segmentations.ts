/** Images with maps of labels (taming/data: coco.py, sflckr.py, ade20k.py), and the landscapes of the model zoo. */
import type { z } from 'zod';
import { count, flag, integer, listOf, oneOf, options, text } from '../../types';
import { dataRoot, dataSets, size } from './common';

// COCO with captions.
const coco = options({
  size: count(),
  /** One channel for each of 183 labels instead of a picture of the labels. */
  onehot_segmentation: flag().default(false),
  /** Labels of things and stuff instead of stuff only. */
  use_stuffthing: flag().default(false),
  crop_size: size(),
  /** Stretch to a square instead of cutting one. */
  force_no_crop: flag().default(false),
  data_root: dataRoot(),
});
const labelsOfAll = {
  error: 'needs use_stuffthing, because only those labels are stored as numbers',
  path: ['onehot_segmentation'],
};
const cocoTrain = coco.refine((p) => !p.onehot_segmentation || p.use_stuffthing, labelsOfAll);
const cocoValidation = options({
  ...coco.shape,
  /** Names of the segmentation files to use; null: all. */
  given_files: listOf(text()).nullable().default(null),
}).refine((p) => !p.onehot_segmentation || p.use_stuffthing, labelsOfAll);
export type CocoParams = z.output<typeof coco> & { given_files?: string[] | null };
dataSets(['taming.data.coco'], ['CocoImagesAndCaptionsTrain'], cocoTrain);
dataSets(['taming.data.coco'], ['CocoImagesAndCaptionsValidation'], cocoValidation);

// Images and maps by a list of files.
const INTERPOLATIONS = ['nearest', 'bilinear', 'bicubic', 'area', 'lanczos'] as const;
const shape = (random: boolean) => ({
  /** Shorter side in pixels; null or not positive: images as they are. */
  size: integer().nullable().default(null),
  random_crop: flag().default(random),
  interpolation: oneOf(...INTERPOLATIONS).default('bicubic'),
});
const base = options({
  ...shape(false),
  /** List of the images' files. */
  data_csv: text(),
  data_root: text(),
  segmentation_root: text(),
  n_labels: count().default(182),
  /** Add 1 to every label, modulo 256: 255 (unlabelled) becomes 0. */
  shift_segmentation: flag().default(false),
});
export type SegmentationBaseParams = z.output<typeof base>;
dataSets(['taming.data.sflckr'], ['SegmentationBase'], base);

const examples = options({ ...shape(false), data_root: dataRoot() });
export type SegmentationExamplesParams = z.output<typeof examples>;
dataSets(['taming.data.sflckr'], ['Examples'], examples);
const examples256 = options({ ...shape(false), size: integer().nullable().default(256), data_root: dataRoot() });
dataSets(['taming.data.ade20k', 'taming.data.coco'], ['Examples'], examples256);

const ade20k = (random: boolean) =>
  options({ ...shape(random), config: options({}).nullable().default(null), crop_size: size(), data_root: dataRoot() });
export type Ade20kParams = z.output<ReturnType<typeof ade20k>>;
dataSets(['taming.data.ade20k'], ['ADE20kTrain'], ade20k(true));
dataSets(['taming.data.ade20k'], ['ADE20kValidation'], ade20k(false));

// Named in official configs, code not published.
const landscapes = options({
  size: size(),
  crop_size: size(),
  /** Accepted: maps are always float32 in a batch. */
  segmentation_to_float32: flag().default(false),
  data_root: dataRoot(),
});
export type LandscapesParams = z.output<typeof landscapes>;
dataSets(['ldm.data.landscapes'], ['RFWTrain', 'RFWValidation'], landscapes);
