/** Images with boxes (taming/data/annotated_objects_dataset.py), and OpenImages without them. */
import type { z } from 'zod';
import { count, flag, integer, listOf, number, oneOf, options, text } from '../../types';
import { dataRoot, dataSets, size } from './common';

const shape = {
  /** Folder of the data set. */
  data_path: text(),
  /** Keys of the samples: image, objects_bbox, objects_center_points, annotations, file_name, ... */
  keys: listOf(text()),
  target_image_size: count(),
  /** Smaller objects are left out; as a part of the image's area. */
  min_object_area: number(),
  /** Images with fewer or more objects are left out. */
  min_objects_per_image: integer(0),
  max_objects_per_image: count(),
  /** none: stretch; center and random-1d: cut along the longer side; random-2d: any square of at least the size. */
  crop_method: oneOf('none', 'center', 'random-1d', 'random-2d'),
  random_flip: flag(),
  /** Number of tokens: classes with their attributes, and places, count from 0; the last one is "none". */
  no_tokens: count(),
  use_group_parameter: flag(),
  /** Append two tokens that tell the cut. */
  encode_crop: flag(),
  /** A table of class names, such as taming.data.open_images_helper.top_300_classes_plus_coco_compatibility. */
  category_allow_list_target: text().default(''),
  /** A table of class ids that stand for others. */
  category_mapping_target: text().default(''),
  /** Classes that the tokens leave room for; null: as many as there are. */
  no_object_classes: count().nullable().default(null),
};
const coco = options({
  ...shape,
  split: oneOf('train', 'validation'),
  use_things: flag().default(true),
  use_stuff: flag().default(true),
});
const openImages = options({
  ...shape,
  split: oneOf('train', 'validation', 'test'),
  /** Tell in the class tokens whether an object is occluded, a depiction, or seen from inside. */
  use_additional_parameters: flag(),
});
const common = options(shape);
/** What the sets of objects have in common. */
export type AnnotatedObjectsParams = z.output<typeof common>;
export type AnnotatedObjectsCocoParams = z.output<typeof coco>;
export type AnnotatedObjectsOpenImagesParams = z.output<typeof openImages>;
dataSets(['taming.data.annotated_objects_coco'], ['AnnotatedObjectsCoco'], coco);
dataSets(['taming.data.annotated_objects_open_images'], ['AnnotatedObjectsOpenImages'], openImages);

// Named in official configs, code not published.
const bbox = options({ size: count(), data_root: dataRoot() });
export type OpenImagesBBoxParams = z.output<typeof bbox>;
dataSets(['ldm.data.openimages'], ['OpenImagesBBoxTrain', 'OpenImagesBBoxValidation'], bbox);
const full = options({ size: size(), crop_size: size(), data_root: dataRoot() });
export type FullOpenImagesParams = z.output<typeof full>;
dataSets(['ldm.data.openimages'], ['FullOpenImagesTrain', 'FullOpenImagesValidation'], full);
