/** CelebA-HQ, FFHQ, and both (reference: taming/data/faceshq.py). */
import path from 'node:path';
import type { FacesHQParams, FacesParams } from '../../config/targets/data-sets/faces';
import { LdmError } from '../../errors';
import { DataFolder } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { cropSample } from '../preprocess/crop-sample';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';
import { ConcatDatasetWithIndex, ImagePaths, type ImagePathsOptions, NumpyPaths } from './base';

const LISTS = 'The lists are those of github.com/CompVis/taming-transformers, folder data; they belong into data/.';
const HOW_TO_GET = {
  celebahq: `${LISTS} Get the images with the scripts of github.com/tkarras/progressive_growing_of_gans: imgHQ00000.npy and so on, bytes [1, 3, 1024, 1024], in data/celebahq.`,
  ffhq: `${LISTS} Download images1024x1024 of github.com/NVlabs/ffhq-dataset into data/ffhq.`,
};

type Kind = keyof typeof HOW_TO_GET;
type Split = 'train' | 'validation';

/** The images of one kind and split. */
function faces(kind: Kind, split: Split, { size, data_root }: Pick<FacesParams, 'size' | 'data_root'>): ImagePaths {
  const folder = new DataFolder({ dataset: `${kind} (${split})`, root: data_root, howToGet: HOW_TO_GET[kind] });
  const names = folder.lines(`${kind}${split}.txt`, 'the list of its images');
  const root = folder.existing(kind, 'the folder of its images');
  const paths = names.map((name) => path.join(root, name));
  const options: ImagePathsOptions = { size };
  return kind === 'celebahq' ? new NumpyPaths(paths, options) : new ImagePaths(paths, options);
}

/** A data set of which only some keys are wanted. */
class SomeKeys implements Dataset {
  readonly classNames = [];

  constructor(
    private readonly base: Dataset,
    private readonly keys: readonly string[] | null,
  ) {}

  get length(): number {
    return this.base.length;
  }

  nameOf(index: number): string {
    return this.base.nameOf(index);
  }

  async get(index: number, random: DataRandom, preprocess?: Preprocess): Promise<Sample> {
    const sample = await this.base.get(index, random, preprocess);
    if (this.keys === null) return sample;
    const missing = this.keys.find((key) => !(key in sample));
    if (missing !== undefined)
      throw new LdmError(
        'ERR_CONFIG',
        `The data set has no '${missing}'. Known keys: ${Object.keys(sample).join(', ')}`,
      );
    return Object.fromEntries(this.keys.map((key) => [key, sample[key]]));
  }
}

/** CelebA-HQ (class 0) and FFHQ (class 1), perhaps with a smaller cut out of each image and where it lay. */
class FacesHQ implements Dataset {
  readonly classNames = ['CelebA-HQ', 'FFHQ'];
  readonly #images: ConcatDatasetWithIndex;

  constructor(
    split: Split,
    private readonly params: FacesHQParams,
  ) {
    const sets = (['celebahq', 'ffhq'] as const).map((kind) => new SomeKeys(faces(kind, split, params), params.keys));
    this.#images = new ConcatDatasetWithIndex(sets);
    this.random_crop = split === 'train';
  }
  private readonly random_crop: boolean;

  get length(): number {
    return this.#images.length;
  }

  nameOf(index: number): string {
    return this.#images.nameOf(index);
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const [sample, number] = await this.#images.get(index, random, preprocess);
    const { crop_size, coord } = this.params;
    if (crop_size === null) return { ...sample, class: number };
    const cut = cropSample(sample, { crop_size, coord, random_crop: this.random_crop }, random.child(1));
    return { ...sample, ...cut, class: number };
  }
}

const MODULES = ['taming.data.faceshq', 'ldm.data.faceshq'];
for (const [split, end] of [
  ['train', 'Train'],
  ['validation', 'Validation'],
] as const) {
  for (const [kind, name] of [
    ['celebahq', 'CelebAHQ'],
    ['ffhq', 'FFHQ'],
  ] as const)
    registerDataset(
      MODULES.map((module) => `${module}.${name}${end}`),
      (params: FacesParams) => new SomeKeys(faces(kind, split, params), params.keys),
    );
  registerDataset(
    MODULES.map((module) => `${module}.FacesHQ${end}`),
    (params: FacesHQParams) => new FacesHQ(split, params),
  );
}
