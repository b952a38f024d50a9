/**
 * OpenImages V6 with boxes (reference: taming/data/annotated_objects_open_images.py), and the data set of the layout-to-image
 * model, whose code is not published: OpenImagesBBox is taken for the former with the options of taming's OpenImages
 * transformer, whose 30 objects of three tokens and two for the cut are the model's 92 tokens.
 */
import path from 'node:path';
import type { AnnotatedObjectsOpenImagesParams, OpenImagesBBoxParams } from '../../config/targets/data-sets/objects';
import { LdmError } from '../../errors';
import { forEachRow } from '../csv';
import { DataFolder } from '../data-folder';
import type { Annotation, Category } from '../objects/annotation';
import { registerDataset } from '../registry';
import { AnnotatedObjects, categoryMapping, existingPaths, numberCategories } from './annotated-objects';
import { OPEN_IMAGES_HOW_TO_GET } from './open-images';

const BOXES = {
  train: 'oidv6-train-annotations-bbox.csv',
  validation: 'validation-annotations-bbox.csv',
  test: 'test-annotations-bbox.csv',
};

const COLUMNS = [
  ...(['ImageID', 'Source', 'LabelName', 'Confidence', 'XMin', 'XMax', 'YMin', 'YMax'] as const),
  ...(['IsOccluded', 'IsTruncated', 'IsGroupOf', 'IsDepiction', 'IsInside'] as const),
] as const;

function openImages(params: AnnotatedObjectsOpenImagesParams): AnnotatedObjects {
  const names = { classes: 'class-descriptions-boxable.csv', boxes: BOXES[params.split], files: params.split };
  const paths = existingPaths(params.data_path, names, OPEN_IMAGES_HOW_TO_GET);
  const all: Category[] = [];
  forEachRow(paths.classes, ([id, name]) => all.push({ id, name }));
  const categories = numberCategories(all, params);
  const annotations = readBoxes(paths.boxes, categories, params);
  const imagePath = (id: string) => path.join(paths.files, `${id.padStart(16, '0')}.jpg`);
  const describe = (id: string) => ({ file_path: imagePath(id), file_name: path.basename(imagePath(id)) });
  return new AnnotatedObjects(
    params,
    { categories, annotations, imagePath, describe },
    params.use_additional_parameters,
  );
}

function readBoxes(
  file: string,
  categories: readonly Category[],
  params: AnnotatedObjectsOpenImagesParams,
): Map<string, Annotation[]> {
  const numbers = new Map(categories.map(({ id }, number) => [id, number]));
  const mapping = categoryMapping(params.category_mapping_target);
  const annotations = new Map<string, Annotation[]>();
  let places: Record<(typeof COLUMNS)[number], number> | undefined;
  forEachRow(file, (fields, line) => {
    if (!places) {
      places = placesOf(fields, file);
      return;
    }
    const at = places;
    const value = (name: (typeof COLUMNS)[number]) => fields[at[name]];
    const label = value('LabelName');
    const category_id = mapping[label] ?? label;
    const category_no = numbers.get(category_id);
    if (category_no === undefined) return;
    const [left, top] = [Number(value('XMin')), Number(value('YMin'))];
    const [width, height] = [Number(value('XMax')) - left, Number(value('YMax')) - top];
    const area = width * height;
    if (Number.isNaN(area))
      throw new LdmError(
        'ERR_DATA',
        `${file}, line ${line + 1}: expected the numbers of a box but found ${fields.join(',').slice(0, 80)}`,
      );
    if (area < params.min_object_area) return;
    const image_id = value('ImageID');
    const annotation: Annotation = {
      id: line - 1,
      image_id,
      source: value('Source'),
      category_id,
      category_no,
      confidence: Number(value('Confidence')),
      bbox: [left, top, width, height],
      area,
      // -1, unknown, counts as true, as in the reference.
      is_occluded: Number(value('IsOccluded')) !== 0,
      is_truncated: Number(value('IsTruncated')) !== 0,
      is_group_of: Number(value('IsGroupOf')) !== 0,
      is_depiction: Number(value('IsDepiction')) !== 0,
      is_inside: Number(value('IsInside')) !== 0,
    };
    const known = annotations.get(image_id);
    if (known) known.push(annotation);
    else annotations.set(image_id, [annotation]);
  });
  return annotations;
}

function placesOf(header: readonly string[], file: string): Record<(typeof COLUMNS)[number], number> {
  const missing = COLUMNS.find((name) => !header.includes(name));
  if (missing !== undefined)
    throw new LdmError(
      'ERR_DATA',
      `${file} has no column ${missing}. Expected OpenImages' boxes with the columns ${COLUMNS.join(', ')}.`,
    );
  return Object.fromEntries(COLUMNS.map((name) => [name, header.indexOf(name)])) as Record<
    (typeof COLUMNS)[number],
    number
  >;
}

registerDataset('taming.data.annotated_objects_open_images.AnnotatedObjectsOpenImages', openImages);

for (const [split, end] of [
  ['train', 'Train'],
  ['validation', 'Validation'],
] as const)
  registerDataset(`ldm.data.openimages.OpenImagesBBox${end}`, ({ size, data_root }: OpenImagesBBoxParams) => {
    const howToGet = OPEN_IMAGES_HOW_TO_GET;
    const folder = new DataFolder({ dataset: `OpenImagesBBox${end}`, root: data_root, howToGet });
    const tables = 'taming.data.open_images_helper';
    return openImages({
      data_path: folder.existing('openimages', 'the folder of OpenImages with its tables of boxes'),
      split,
      keys: ['image', 'coordinates_bbox', 'file_name'],
      target_image_size: size,
      min_object_area: 0.0001,
      min_objects_per_image: 2,
      max_objects_per_image: 30,
      crop_method: split === 'train' ? 'random-2d' : 'center',
      random_flip: split === 'train',
      no_tokens: 8192,
      use_group_parameter: true,
      use_additional_parameters: true,
      encode_crop: true,
      category_allow_list_target: `${tables}.top_300_classes_plus_coco_compatibility`,
      category_mapping_target: `${tables}.open_images_unify_categories_for_coco`,
      no_object_classes: null,
    });
  });
