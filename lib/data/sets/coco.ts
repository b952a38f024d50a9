/**
 * COCO 2017 with captions and maps of stuff (reference: taming/data/coco.py).
 *
 * Departure: `caption` is a text, where the reference gives a list with one text, which its own models cannot take.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { CocoParams } from '../../config/targets/data-sets/segmentations';
import { LdmError } from '../../errors';
import { DataFolder } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import { coco } from '../preprocess/segmentation';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';

const HOW_TO_GET =
  'Download train2017.zip, val2017.zip, annotations_trainval2017.zip and stuff_annotations_trainval2017.zip (for use_stuffthing stuffthingmaps_trainval2017.zip of github.com/nightrome/cocostuff) from https://cocodataset.org and unpack them into data/coco (the stuffthing maps into data/cocostuffthings).';

interface Captions {
  images: { id: number; file_name: string }[];
  annotations: { image_id: number; caption: string }[];
}

/** Samples: `image`, `caption` (one of the image's, drawn), `segmentation`, `img_path`, `seg_path`, `filename_`. */
class CocoImagesAndCaptions implements Dataset {
  readonly classNames = [];
  readonly #images: { file: string; map: string; captions: string[] }[] = [];
  readonly #params: CocoParams;
  readonly #random: boolean;

  constructor(split: 'train' | 'val', params: CocoParams) {
    this.#params = params;
    this.#random = split === 'train';
    const name = `${split}2017`;
    const folder = new DataFolder({ dataset: `COCO (${name})`, root: params.data_root, howToGet: HOW_TO_GET });
    const list = folder.existing(`coco/annotations/captions_${name}.json`, 'the captions');
    const images = folder.existing(`coco/${name}`, 'the folder of the images');
    const maps = folder.existing(
      params.use_stuffthing ? `cocostuffthings/${name}` : `coco/annotations/stuff_${name}_pixelmaps`,
      'the folder of the maps of labels',
    );
    const { images: all, annotations } = readCaptions(list);
    const given = params.given_files && new Set(params.given_files);
    const byId = new Map<number, string[]>();
    for (const { id, file_name } of all) {
      const captions: string[] = [];
      byId.set(id, captions);
      const map = file_name.replaceAll('jpg', 'png');
      if (given && !given.has(map)) continue;
      this.#images.push({ file: path.join(images, file_name), map: path.join(maps, map), captions });
    }
    for (const { image_id, caption } of annotations) byId.get(image_id)?.push(caption);
    const without = this.#images.find(({ captions }) => captions.length === 0);
    if (without) throw new LdmError('ERR_DATA', `${list} has no caption for ${without.file}.`);
  }

  get length(): number {
    return this.#images.length;
  }

  nameOf(index: number): string {
    return this.#images[index].file;
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const { file, map, captions } = this.#images[index];
    const { size, crop_size, onehot_segmentation: onehot, force_no_crop: stretch } = this.#params;
    const args = { source: file, segmentation: map, size, crop_size, random_crop: this.#random, onehot, stretch };
    const { arrays } = await preprocess(coco, args, random);
    const caption = captions[random.child(1).below(captions.length)];
    return { ...arrays, caption, img_path: file, seg_path: map, filename_: path.basename(file) };
  }
}

function readCaptions(file: string): Captions {
  try {
    const content = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<Captions>;
    if (Array.isArray(content.images) && Array.isArray(content.annotations)) return content as Captions;
    throw new Error("no lists 'images' and 'annotations'");
  } catch (error) {
    throw new LdmError('ERR_DATA', `${file} is no file of COCO's annotations: ${(error as Error).message}.`);
  }
}

registerDataset('taming.data.coco.CocoImagesAndCaptionsTrain', (params: CocoParams) => {
  return new CocoImagesAndCaptions('train', params);
});
registerDataset('taming.data.coco.CocoImagesAndCaptionsValidation', (params: CocoParams) => {
  return new CocoImagesAndCaptions('val', params);
});
