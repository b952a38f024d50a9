/**
 * Data modules and data sets. The reference publishes the code of only some of the data sets that its configs name; for the
 * others the keys are those that the configs use.
 */
import { z } from 'zod';
import { type ParamsSchema, registerTarget } from '../table';
import { count, either, flag, integer, listOf, node, number, oneOf, options, section, text } from '../types';

const dataSet = () => node('data set').nullable().default(null);

export const dataModule = options({
  batch_size: count(),
  train: dataSet(),
  validation: dataSet(),
  test: dataSet(),
  predict: dataSet(),
  /** Wraps the data set in one that has only a length and items; without effect on what is read. */
  wrap: flag().default(false),
  /** Images decoded at the same time; null: twice the batch size. */
  num_workers: integer(0).nullable().default(null),
  shuffle_test_loader: flag().default(false),
  use_worker_init_fn: flag().default(false),
  shuffle_val_dataloader: flag().default(false),
});
export type DataModuleParams = z.output<typeof dataModule>;
registerTarget('main.DataModuleFromConfig', dataModule, { family: 'data module' });

const size = () => count().nullable().default(null);
const fraction = () => z.number().gt(0).max(1);

/** Registers data sets under one or several modules' names. */
function dataSets(modules: readonly string[], names: readonly string[], schema: ParamsSchema): void {
  for (const module of modules) {
    for (const name of names) registerTarget(`${module}.${name}`, schema, { family: 'data set' });
  }
}

// LSUN (ldm/data/lsun.py): a list of files in a folder.
const interpolation = () => oneOf('linear', 'bilinear', 'bicubic', 'lanczos').default('bicubic');
const lsun = (flip: number) =>
  options({ size: size(), interpolation: interpolation(), flip_p: z.number().min(0).max(1).default(flip) });
for (const name of ['Churches', 'Bedrooms', 'Cats']) {
  dataSets(['ldm.data.lsun'], [`LSUN${name}Train`], lsun(0.5));
  dataSets(['ldm.data.lsun'], [`LSUN${name}Validation`], lsun(0));
}
dataSets(['ldm.data.lsun'], ['LSUNBase'], options({ ...lsun(0.5).shape, txt_file: text(), data_root: text() }));

// ImageNet (ldm/data/imagenet.py).
const crop = section(options({ random_crop: flag().optional() })).optional();
const imageNet = options({
  process_images: flag().default(true),
  data_root: text().nullable().default(null),
  config: section(
    options({
      size: count().default(256),
      keep_orig_class_label: flag().default(false),
      /** Class indices such as '0-9,20'. */
      sub_indices: either('text such as "0-9,20"', text(), integer()).optional(),
      ImageNetTrain: crop,
      ImageNetValidation: crop,
    }),
  )
    .nullable()
    .default(null),
});
dataSets(['ldm.data.imagenet', 'taming.data.imagenet'], ['ImageNetTrain', 'ImageNetValidation'], imageNet);

const DEGRADATIONS = [
  ...(['bsrgan', 'bsrgan_light'] as const),
  ...(['cv_nearest', 'cv_bilinear', 'cv_bicubic', 'cv_area', 'cv_lanczos'] as const),
  ...(['pil_nearest', 'pil_bilinear', 'pil_bicubic', 'pil_box', 'pil_hamming', 'pil_lanczos'] as const),
] as const;
const superResolution = options({
  size: count(),
  degradation: oneOf(...DEGRADATIONS),
  downscale_f: count().default(4),
  min_crop_f: fraction().default(0.5),
  max_crop_f: fraction().default(1),
  random_crop: flag().default(true),
}).refine((params) => params.size % params.downscale_f === 0, {
  error: 'has to be a multiple of downscale_f',
  path: ['size'],
});
dataSets(['ldm.data.imagenet'], ['ImageNetSRTrain', 'ImageNetSRValidation'], superResolution);
dataSets(
  ['ldm.data.openimages'],
  ['SuperresOpenImagesAdvancedTrain', 'SuperresOpenImagesAdvancedValidation'],
  superResolution,
);

// Faces (taming/data/faceshq.py).
const keys = () => listOf(text()).nullable().default(null);
const faces = options({ size: size(), keys: keys() });
dataSets(
  ['taming.data.faceshq', 'ldm.data.faceshq'],
  ['CelebAHQTrain', 'CelebAHQValidation', 'FFHQTrain', 'FFHQValidation'],
  faces,
);
dataSets(
  ['taming.data.faceshq', 'ldm.data.faceshq'],
  ['FacesHQTrain', 'FacesHQValidation'],
  options({ ...faces.shape, crop_size: size(), coord: flag().default(false) }),
);

// Any images by a list of files (taming/data/custom.py).
dataSets(['taming.data.custom'], ['CustomTrain'], options({ size: size(), training_images_list_file: text() }));
dataSets(['taming.data.custom'], ['CustomTest'], options({ size: size(), test_images_list_file: text() }));

// COCO with captions (taming/data/coco.py).
const coco = options({
  size: size(),
  onehot_segmentation: flag().default(false),
  use_stuffthing: flag().default(false),
  crop_size: size(),
  force_no_crop: flag().default(false),
});
dataSets(['taming.data.coco'], ['CocoImagesAndCaptionsTrain'], coco);
dataSets(
  ['taming.data.coco'],
  ['CocoImagesAndCaptionsValidation'],
  options({ ...coco.shape, given_files: listOf(text()).nullable().default(null) }),
);

// Images with boxes (taming/data/annotated_objects_dataset.py).
const annotated = {
  data_path: text(),
  split: oneOf('train', 'validation', 'test'),
  keys: listOf(text()),
  target_image_size: count(),
  min_object_area: number(),
  min_objects_per_image: integer(0),
  max_objects_per_image: count(),
  crop_method: oneOf('none', 'random', 'center', 'random-1d', 'random-2d'),
  random_flip: flag(),
  no_tokens: count(),
  use_group_parameter: flag(),
  encode_crop: flag(),
  category_allow_list_target: text().default(''),
  category_mapping_target: text().default(''),
  no_object_classes: count().nullable().default(null),
};
dataSets(
  ['taming.data.annotated_objects_coco'],
  ['AnnotatedObjectsCoco'],
  options({ ...annotated, use_things: flag().default(true), use_stuff: flag().default(true) }),
);
dataSets(
  ['taming.data.annotated_objects_open_images'],
  ['AnnotatedObjectsOpenImages'],
  options({ ...annotated, use_additional_parameters: flag() }),
);

// Named in official configs, code not published.
const trainAndValidation = (name: string) => [`${name}Train`, `${name}Validation`];
dataSets(['ldm.data.openimages'], trainAndValidation('FullOpenImages'), options({ size: size(), crop_size: size() }));
dataSets(['ldm.data.openimages'], trainAndValidation('OpenImagesBBox'), options({ size: size() }));
dataSets(['ldm.data.previews.pytorch_dataset'], trainAndValidation('Previews'), options({ size: size() }));
dataSets(
  ['ldm.data.landscapes'],
  trainAndValidation('RFW'),
  options({ size: size(), crop_size: size(), segmentation_to_float32: flag().default(false) }),
);
