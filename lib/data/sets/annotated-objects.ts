/** Images with boxes (reference: taming/data/annotated_objects_dataset.py): what COCO's and OpenImages' sets have in common. */
import fs from 'node:fs';
import path from 'node:path';
import type { AnnotatedObjectsParams } from '../../config/targets/data-sets/objects';
import { LdmError } from '../../errors';
import type { ArrayValue, Dataset, Sample } from '../dataset';
import type { Annotation, Category } from '../objects/annotation';
import {
  type ConditionalBuilderOptions,
  ObjectsBoundingBoxConditionalBuilder,
  ObjectsCenterPointsConditionalBuilder,
} from '../objects/conditional-builder';
import { ALLOW_LISTS, MAPPINGS } from '../objects/open-images-tables';
import { annotatedObjects, type Placement } from '../preprocess/annotated-objects';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';

/** Objects by image, and what a data set knows about its images and classes. */
export interface ObjectTables {
  /** Numbered classes; see {@link numberCategories}. */
  categories: readonly Category[];
  /** The objects of each image, in the order of the images. */
  annotations: ReadonlyMap<string, readonly Annotation[]>;
  imagePath(imageId: string): string;
  /** Keys of the sample that only describe the image. */
  describe(imageId: string): Sample;
}

/**
 * Samples have the keys that `keys` names: `image`, `objects_bbox`, `objects_center_points` (int64 tokens), `annotations`,
 * `crop_bbox`, `flipped`, `image_path`, and what the data set tells about an image. `coordinates_bbox` is another name of
 * `objects_bbox`: the one that layout-to-image models ask for.
 */
export class AnnotatedObjects implements Dataset {
  /** Names of the objects' classes, by number. */
  readonly classNames: readonly string[];
  readonly conditionalBuilders: Readonly<Record<string, ObjectsCenterPointsConditionalBuilder>>;
  readonly #params: AnnotatedObjectsParams;
  readonly #tables: ObjectTables;
  readonly #imageIds: readonly string[];
  readonly #annotations: readonly (readonly Annotation[])[];

  constructor(params: AnnotatedObjectsParams, tables: ObjectTables, useAdditionalParameters: boolean) {
    this.#params = params;
    this.#tables = tables;
    this.classNames = tables.categories.map(({ name }) => name);
    const options: ConditionalBuilderOptions = {
      no_object_classes: params.no_object_classes ?? tables.categories.length,
      no_max_objects: params.max_objects_per_image,
      no_tokens: params.no_tokens,
      encode_crop: params.encode_crop,
      use_group_parameter: params.use_group_parameter,
      use_additional_parameters: useAdditionalParameters,
    };
    const boxes = new ObjectsBoundingBoxConditionalBuilder(options);
    this.conditionalBuilders = {
      objects_center_points: new ObjectsCenterPointsConditionalBuilder(options),
      objects_bbox: boxes,
      coordinates_bbox: boxes,
    };
    const usable = [...tables.annotations]
      .map(([id, all]) => [id, all.filter(({ area }) => area > params.min_object_area)] as const)
      .filter(([, { length }]) => params.min_objects_per_image <= length && length <= params.max_objects_per_image);
    if (usable.length === 0)
      throw new LdmError(
        'ERR_DATA',
        `No image in ${params.data_path} has ${params.min_objects_per_image} to ${params.max_objects_per_image} objects larger than ${params.min_object_area}. Change these options.`,
      );
    this.#imageIds = usable.map(([id]) => id);
    this.#annotations = usable.map(([, objects]) => objects);
  }

  get length(): number {
    return this.#imageIds.length;
  }

  nameOf(index: number): string {
    return this.#tables.imagePath(this.#imageIds[index]);
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const { keys } = this.#params;
    const annotations = this.#annotations[index];
    const sample: Sample = { ...this.#tables.describe(this.#imageIds[index]), annotations };
    if (keys.includes('image')) Object.assign(sample, await this.#picture(index, random, preprocess));
    const order = random.child(1);
    for (const [key, builder] of Object.entries(this.conditionalBuilders))
      if (keys.includes(key)) sample[key] = tokensOf(builder, annotations, sample, order);
    const missing = keys.find((key) => !(key in sample));
    if (missing !== undefined)
      throw new LdmError(
        'ERR_CONFIG',
        `The data set has no '${missing}'. Known keys: ${[...Object.keys(sample), ...Object.keys(this.conditionalBuilders)].join(', ')}`,
      );
    return Object.fromEntries(keys.map((key) => [key, sample[key]]));
  }

  async #picture(index: number, random: DataRandom, preprocess: Preprocess): Promise<Sample> {
    const { target_image_size: size, crop_method, random_flip } = this.#params;
    const source = this.nameOf(index);
    const { arrays, info } = await preprocess(annotatedObjects, { source, size, crop_method, random_flip }, random);
    return { image_path: source, ...arrays, ...info };
  }
}

/** Without the image nothing was cut or mirrored. */
function tokensOf(
  builder: ObjectsCenterPointsConditionalBuilder,
  annotations: readonly Annotation[],
  sample: Sample,
  random: DataRandom,
): ArrayValue {
  const { crop_bbox = null, flipped = false } = sample as unknown as Partial<Placement>;
  const tokens = builder.build(annotations, crop_bbox, flipped === true, random);
  return { data: BigInt64Array.from(tokens, BigInt), shape: [tokens.length] };
}

/** Person of OpenImages: the reference numbers it last. */
const PERSON = '/m/01s55n';

/** The classes that are wanted, in the order of their numbers. */
export function numberCategories(
  categories: readonly Category[],
  { category_allow_list_target: allow, category_mapping_target: mapping }: AnnotatedObjectsParams,
): Category[] {
  const allowed = allow === '' ? undefined : tableNamed(ALLOW_LISTS, allow, 'category_allow_list_target');
  const mapped = categoryMapping(mapping);
  const wanted = categories.filter(({ id, name }) => (!allowed || allowed.has(name)) && !(id in mapped));
  const [person, others] = [wanted.filter(({ id }) => id === PERSON), wanted.filter(({ id }) => id !== PERSON)];
  return [...others.sort((a, b) => (a.id < b.id ? -1 : 1)), ...person];
}

/** Ids of classes that stand for others. */
export function categoryMapping(target: string): Readonly<Record<string, string>> {
  return target === '' ? {} : tableNamed(MAPPINGS, target, 'category_mapping_target');
}

function tableNamed<T>(tables: ReadonlyMap<string, T>, name: string, option: string): T {
  const table = tables.get(name);
  if (table) return table;
  throw new LdmError('ERR_CONFIG', `${option}: there is no table '${name}'. Known: ${[...tables.keys()].join(', ')}.`);
}

/** The files of a data set below `root`. @throws LdmError ERR_DATA for the first that is not there */
export function existingPaths<Names extends Readonly<Record<string, string | undefined>>>(
  root: string,
  names: Names,
  howToGet: string,
): Names {
  const entries = Object.entries(names as Record<string, string>).map(([key, name]) => {
    const file = path.resolve(root, name);
    if (!fs.existsSync(file))
      throw new LdmError('ERR_DATA', `There is no ${file}. ${howToGet} Looked in ${path.resolve(root)} (data_path).`);
    return [key, file];
  });
  return Object.fromEntries(entries) as unknown as Names;
}
