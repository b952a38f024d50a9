/** COCO 2017 with boxes of things and stuff (reference: taming/data/annotated_objects_coco.py). */
import path from 'node:path';
import type { AnnotatedObjectsCocoParams } from '../../config/targets/data-sets/objects';
import { LdmError } from '../../errors';
import type { Sample } from '../dataset';
import { forEachElement } from '../json-elements';
import type { Annotation, Category } from '../objects/annotation';
import { registerDataset } from '../registry';
import { AnnotatedObjects, existingPaths, numberCategories } from './annotated-objects';

const HOW_TO_GET =
  'Download train2017.zip, val2017.zip, annotations_trainval2017.zip and stuff_annotations_trainval2017.zip from https://cocodataset.org into one folder.';

interface CocoImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
  license?: number;
  coco_url?: string;
  flickr_url?: string;
  date_captured?: string;
}

interface CocoObject {
  id: number;
  image_id: number;
  category_id: number;
  bbox: [number, number, number, number];
  iscrowd: number;
}

registerDataset('taming.data.annotated_objects_coco.AnnotatedObjectsCoco', (params: AnnotatedObjectsCocoParams) => {
  const year = params.split === 'train' ? 'train2017' : 'val2017';
  const names: Record<'things' | 'files', string> & { stuff?: string } = {
    things: `annotations/instances_${year}.json`,
    files: year,
  };
  if (params.use_stuff) names.stuff = `annotations/stuff_${year}.json`;
  const paths = existingPaths(params.data_path, names, HOW_TO_GET);
  const { images } = readLists<{ images: CocoImage }>(paths.things, ['images']);
  const byId = new Map(images.map((image) => [String(image.id), image]));
  const sources = [...(params.use_things ? [paths.things] : []), ...(paths.stuff ? [paths.stuff] : [])];
  const categories = numberCategories(sources.flatMap(readCategories), params);
  const numbers = new Map(categories.map(({ id }, number) => [id, number]));

  const annotations = new Map<string, Annotation[]>();
  for (const file of sources)
    readElements<CocoObject>(file, ['annotations'], (object) => {
      const image = byId.get(String(object.image_id));
      if (!image)
        throw new LdmError(
          'ERR_DATA',
          `${file} describes image ${object.image_id}, which ${paths.things} does not list.`,
        );
      const category_no = numbers.get(String(object.category_id));
      if (category_no === undefined) return;
      const [left, top, width, height] = object.bbox;
      const bbox = [left / image.width, top / image.height, width / image.width, height / image.height] as const;
      const annotation: Annotation = {
        id: object.id,
        image_id: object.image_id,
        category_id: String(object.category_id),
        category_no,
        bbox,
        area: bbox[2] * bbox[3],
        // The reference keeps COCO's 0 and 1, which it then takes for no group.
        is_group_of: false,
      };
      const id = String(object.image_id);
      const known = annotations.get(id);
      if (known) known.push(annotation);
      else annotations.set(id, [annotation]);
    });
  return new AnnotatedObjects(
    params,
    {
      categories,
      annotations,
      imagePath: (id) => path.join(paths.files, byId.get(id)!.file_name),
      describe: (id) => describe(byId.get(id)!),
    },
    false,
  );
});

function describe({ width, height, ...image }: CocoImage): Sample {
  const { id, file_name, license, coco_url, date_captured, flickr_url } = image;
  return { id, file_name, license, coco_url, date_captured, flickr_url, original_size: [width, height] };
}

function readCategories(file: string): Category[] {
  const { categories } = readLists<{ categories: { id: number; name: string } }>(file, ['categories']);
  return categories.filter(({ name }) => name !== 'other').map(({ id, name }) => ({ id: String(id), name }));
}

function readLists<T>(file: string, keys: (keyof T & string)[]): { [K in keyof T]: T[K][] } {
  const lists = Object.fromEntries(keys.map((key) => [key, [] as unknown[]]));
  readElements(file, keys, (element, key) => lists[key].push(element));
  return lists as { [K in keyof T]: T[K][] };
}

function readElements<T>(file: string, keys: readonly string[], use: (element: T, key: string) => void): void {
  const found = forEachElement(file, new Set(keys), (text, key) => {
    let element: T;
    try {
      element = JSON.parse(text) as T;
    } catch {
      throw new LdmError('ERR_DATA', `${file} is damaged: '${key}' holds ${JSON.stringify(text.slice(0, 60))}.`);
    }
    use(element, key);
  });
  const missing = keys.find((key) => !found.has(key));
  if (missing !== undefined)
    throw new LdmError('ERR_DATA', `${file} is no file of COCO's annotations: it has no list '${missing}'.`);
}
