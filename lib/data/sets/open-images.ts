/**
 * OpenImages without annotations: FullOpenImages of the model zoo's first stages, whose code is not published. The names of
 * the options tell what it does: the shorter side becomes `size`, and a square of `crop_size` is cut out, at random in
 * training. Images that are smaller than the cut are enlarged.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { FullOpenImagesParams } from '../../config/targets/data-sets/objects';
import { LdmError } from '../../errors';
import { DataFolder } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { scaledCrop } from '../preprocess/image-paths';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';

export type OpenImagesSplit = 'train' | 'validation';

export const OPEN_IMAGES_HOW_TO_GET =
  'Download the images and, for boxes, the tables of https://storage.googleapis.com/openimages/web/download.html into data/openimages.';

/** The images of data/openimages/train or validation, in the order of their names. */
export function openImagesFiles(split: OpenImagesSplit, dataRoot: string | null): string[] {
  const howToGet = OPEN_IMAGES_HOW_TO_GET;
  const folder = new DataFolder({ dataset: `OpenImages (${split})`, root: dataRoot, howToGet });
  const root = folder.existing(`openimages/${split}`, 'the folder of its images');
  const names = (fs.readdirSync(root, { recursive: true }) as string[]).filter((name) => /\.(jpe?g|png)$/i.test(name));
  if (names.length === 0) throw new LdmError('ERR_DATA', `There is no .jpg in ${root}. ${howToGet}`);
  return names.sort().map((name) => path.join(root, name));
}

class FullOpenImages implements Dataset {
  readonly classNames = [];
  readonly #paths: readonly string[];
  readonly #options: { size: number | null; crop_size: number | null; random_crop: boolean; flip_p: number };

  constructor(split: OpenImagesSplit, { data_root, size, crop_size }: FullOpenImagesParams) {
    this.#paths = openImagesFiles(split, data_root);
    this.#options = { size, crop_size, random_crop: split === 'train', flip_p: 0 };
  }

  get length(): number {
    return this.#paths.length;
  }

  nameOf(index: number): string {
    return this.#paths[index];
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const source = this.#paths[index];
    const { arrays } = await preprocess(scaledCrop, { source, ...this.#options }, random);
    return { file_path_: source, ...arrays };
  }
}

registerDataset('ldm.data.openimages.FullOpenImagesTrain', (params: FullOpenImagesParams) => {
  return new FullOpenImages('train', params);
});
registerDataset('ldm.data.openimages.FullOpenImagesValidation', (params: FullOpenImagesParams) => {
  return new FullOpenImages('validation', params);
});
