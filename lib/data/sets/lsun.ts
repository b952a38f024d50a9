/** LSUN churches, bedrooms and cats as lists of files (reference: ldm/data/lsun.py). */
import path from 'node:path';
import type { LsunBaseParams, LsunParams } from '../../config/targets/data-sets/lsun';
import { DataFolder, readLines } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { lsun } from '../preprocess/lsun';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';
import type { PilInterpolation } from '../resize/pil';

const HOW_TO_GET =
  'Download the images with the script of github.com/fyu/lsun and export them, and the lists of files from https://ommer-lab.com/files/lsun.zip; the lists belong into data/lsun, the images into data/lsun/churches, bedrooms and cats.';

/** Images of a list: `image`, `file_path_` and `relative_file_path_`. */
export class LSUNBase implements Dataset {
  readonly classNames = [];
  readonly #root: string;
  readonly #names: readonly string[];
  readonly #params: Omit<LsunParams, 'data_root'>;

  constructor(root: string, names: readonly string[], params: Omit<LsunParams, 'data_root'>) {
    this.#root = root;
    this.#names = names;
    this.#params = params;
  }

  get length(): number {
    return this.#names.length;
  }

  nameOf(index: number): string {
    return path.join(this.#root, this.#names[index]);
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const source = this.nameOf(index);
    const { size, flip_p } = this.#params;
    const interpolation = pillowName(this.#params.interpolation);
    const { arrays } = await preprocess(lsun, { source, size, interpolation, flip_p }, random);
    return { relative_file_path_: this.#names[index], file_path_: source, ...arrays };
  }
}

/** The reference knows Pillow's bilinear filter under two names. */
function pillowName(name: LsunParams['interpolation']): PilInterpolation {
  return name === 'linear' ? 'bilinear' : name;
}

registerDataset('ldm.data.lsun.LSUNBase', ({ txt_file, data_root, ...params }: LsunBaseParams) => {
  return new LSUNBase(data_root, readLines(txt_file), params);
});

const SETS = {
  Churches: { list: 'church_outdoor', images: 'churches' },
  Bedrooms: { list: 'bedrooms', images: 'bedrooms' },
  Cats: { list: 'cat', images: 'cats' },
};
for (const [name, { list, images }] of Object.entries(SETS))
  for (const [split, end] of [
    ['Train', 'train'],
    ['Validation', 'val'],
  ])
    registerDataset(`ldm.data.lsun.LSUN${name}${split}`, ({ data_root, ...params }: LsunParams) => {
      const folder = new DataFolder({ dataset: `LSUN${name}${split}`, root: data_root, howToGet: HOW_TO_GET });
      const names = folder.lines(`lsun/${list}_${end}.txt`, 'the list of its images');
      return new LSUNBase(folder.existing(`lsun/${images}`, 'the folder of its images'), names, params);
    });
