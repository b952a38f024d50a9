/** ImageNet (ldm/data/imagenet.py, taming/data/imagenet.py), and the super-resolution sets made of it and of OpenImages. */
import { z } from 'zod';
import { count, either, flag, integer, oneOf, options, section, text } from '../../types';
import { dataRoot, dataSets } from './common';

const crop = section(options({ random_crop: flag().optional() })).optional();
const imageNet = (size: number) =>
  options({
    /** Without effect, as in the reference. */
    process_images: flag().default(true),
    /** Folder with ILSVRC2012_train and ILSVRC2012_validation; null: $XDG_CACHE_HOME/autoencoders/data. */
    data_root: text().nullable().default(null),
    config: section(
      options({
        /** Side of the images in pixels; 0: as they are. */
        size: integer(0).default(size),
        /** Labels by index_synset.yaml instead of by rank among the classes that are there. */
        keep_orig_class_label: flag().default(false),
        /** Class indices such as '0-9,20'; as in the reference the end of a range is left out. */
        sub_indices: either('text such as "0-9,20"', text(), integer()).optional(),
        ImageNetTrain: crop,
        ImageNetValidation: crop,
      }),
    )
      .nullable()
      .default(null)
      .transform((config) => config ?? { size, keep_orig_class_label: false }),
  });
export type ImageNetParams = z.output<ReturnType<typeof imageNet>>;
dataSets(['ldm.data.imagenet'], ['ImageNetTrain', 'ImageNetValidation'], imageNet(256));
dataSets(['taming.data.imagenet'], ['ImageNetTrain', 'ImageNetValidation'], imageNet(0));

const DEGRADATIONS = [
  ...(['bsrgan', 'bsrgan_light'] as const),
  ...(['cv_nearest', 'cv_bilinear', 'cv_bicubic', 'cv_area', 'cv_lanczos'] as const),
  ...(['pil_nearest', 'pil_bilinear', 'pil_bicubic', 'pil_box', 'pil_hamming', 'pil_lanczos'] as const),
] as const;
const fraction = () => z.number().gt(0).max(1);
const shape = {
  size: count(),
  degradation: oneOf(...DEGRADATIONS),
  downscale_f: count().default(4),
  /** Side of the cut, as a part of the shorter side: drawn between these. */
  min_crop_f: fraction().default(0.5),
  max_crop_f: fraction().default(1),
  random_crop: flag().default(true),
  data_root: dataRoot(),
};
const divisible = (params: { size: number; downscale_f: number }) => params.size % params.downscale_f === 0;
const indivisible = { error: 'has to be a multiple of downscale_f', path: ['size'] };

export const imageNetSR = options({
  ...shape,
  /** Pickled list of the indices of large images; null: the reference's name below data; 'all': every image. */
  hr_indices: text().nullable().default(null),
}).refine(divisible, indivisible);
export type ImageNetSRParams = z.output<typeof imageNetSR>;
dataSets(['ldm.data.imagenet'], ['ImageNetSRTrain', 'ImageNetSRValidation'], imageNetSR);

const openImagesSR = options(shape).refine(divisible, indivisible);
export type SuperResolutionParams = z.output<typeof openImagesSR>;
dataSets(
  ['ldm.data.openimages'],
  ['SuperresOpenImagesAdvancedTrain', 'SuperresOpenImagesAdvancedValidation'],
  openImagesSR,
);
