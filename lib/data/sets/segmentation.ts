/**
 * Images with maps of labels by lists of files (reference: taming/data/sflckr.py and ade20k.py), and the landscapes of
 * semantic synthesis, whose code is not published.
 */
import path from 'node:path';
import type {
  Ade20kParams,
  LandscapesParams,
  SegmentationBaseParams,
  SegmentationExamplesParams,
} from '../../config/targets/data-sets/segmentations';
import { LdmError } from '../../errors';
import { DataFolder, readLines } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import { segmentation } from '../preprocess/segmentation';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';

interface Options {
  /** Folder of the images, folder of the maps. */
  images: string;
  maps: string;
  size: number | null;
  crop_size?: number | null;
  random_crop: boolean;
  interpolation: SegmentationBaseParams['interpolation'];
  n_labels: number;
  shift_segmentation?: boolean;
}

/** Samples: `image`, `segmentation` [height, width, n_labels], `file_path_`, `segmentation_path_`, `relative_file_path_`. */
class SegmentationBase implements Dataset {
  readonly classNames = [];

  /** @param names paths of the images below their folder; the maps have the same with .png */
  constructor(
    protected readonly names: readonly string[],
    private readonly options: Options,
  ) {}

  get length(): number {
    return this.names.length;
  }

  nameOf(index: number): string {
    return path.join(this.options.images, this.names[index]);
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const { maps, crop_size = null, random_crop, n_labels, shift_segmentation: shift = false } = this.options;
    const size = this.options.size !== null && this.options.size > 0 ? this.options.size : null;
    const interpolation = openCvName(this.options.interpolation);
    const source = this.nameOf(index);
    const map = path.join(maps, mapOf(this.names[index]));
    const args = { source, segmentation: map, size, crop_size, random_crop, interpolation, n_labels, shift };
    const { arrays } = await preprocess(segmentation, args, random);
    return { relative_file_path_: this.names[index], file_path_: source, segmentation_path_: map, ...arrays };
  }
}

function mapOf(name: string): string {
  return name.replaceAll('.jpg', '.png');
}

function openCvName(name: SegmentationBaseParams['interpolation']) {
  const names = {
    nearest: 'nearest',
    bilinear: 'linear',
    bicubic: 'cubic',
    area: 'area',
    lanczos: 'lanczos4',
  } as const;
  return names[name];
}

registerDataset('taming.data.sflckr.SegmentationBase', ({ data_csv, ...params }: SegmentationBaseParams) => {
  const { data_root: images, segmentation_root: maps, ...options } = params;
  return new SegmentationBase(readLines(data_csv), { images, maps, ...options });
});

// The examples that come with taming-transformers.
const EXAMPLES = {
  sflckr: { n_labels: 182, shift_segmentation: false },
  ade20k: { n_labels: 151, shift_segmentation: false },
  coco: { n_labels: 183, shift_segmentation: true },
};
for (const [name, labels] of Object.entries(EXAMPLES))
  registerDataset(`taming.data.${name}.Examples`, ({ data_root, ...options }: SegmentationExamplesParams) => {
    const howToGet = 'It is part of github.com/CompVis/taming-transformers, folder data.';
    const folder = new DataFolder({ dataset: `taming.data.${name}.Examples`, root: data_root, howToGet });
    return new SegmentationBase(folder.lines(`${name}_examples.txt`, 'the list of its images'), {
      images: folder.existing(`${name}_images`, 'the folder of its images'),
      maps: folder.existing(`${name}_segmentations`, 'the folder of its maps of labels'),
      ...labels,
      ...options,
    });
  });

/** ADE20K: also `scene_category` and `relative_segmentation_path_`. */
class Ade20k extends SegmentationBase {
  readonly #scenes: ReadonlyMap<string, string>;

  constructor(split: 'train' | 'validation', { data_root, config: _, ...options }: Ade20kParams) {
    const howToGet =
      'Download ADEChallengeData2016 from http://sceneparsing.csail.mit.edu into data/ade20k_root; the lists are those of github.com/CompVis/taming-transformers: training/ADE_train_00000001.jpg and so on.';
    const folder = new DataFolder({ dataset: `ADE20K (${split})`, root: data_root, howToGet });
    const names = folder.lines(`ade20k_${split === 'train' ? 'train' : 'test'}.txt`, 'the list of its images');
    super(names, {
      images: folder.existing('ade20k_root/images', 'the folder of its images'),
      maps: folder.existing('ade20k_root/annotations', 'the folder of its maps of labels'),
      n_labels: 151,
      ...options,
    });
    const scenes = folder.lines('ade20k_root/sceneCategories.txt', 'the scene of each image');
    this.#scenes = new Map(scenes.map((line) => line.trim().split(/\s+/) as [string, string]));
    const unknown = names.find((name) => !this.#scenes.has(sceneKey(name)));
    if (unknown !== undefined)
      throw new LdmError(
        'ERR_DATA',
        `${path.join(folder.root, 'ade20k_root/sceneCategories.txt')} has no scene for ${unknown}.`,
      );
  }

  override async get(index: number, random: DataRandom, preprocess?: Preprocess): Promise<Sample> {
    const name = this.names[index];
    const scene = { scene_category: this.#scenes.get(sceneKey(name)), relative_segmentation_path_: mapOf(name) };
    return { ...(await super.get(index, random, preprocess)), ...scene };
  }
}

/** training/ADE_train_00000001.jpg: ADE_train_00000001. */
function sceneKey(name: string): string {
  return (name.split('/')[1] ?? name).replaceAll('.jpg', '');
}

registerDataset('taming.data.ade20k.ADE20kTrain', (params: Ade20kParams) => new Ade20k('train', params));
registerDataset('taming.data.ade20k.ADE20kValidation', (params: Ade20kParams) => new Ade20k('validation', params));

// Semantic synthesis of the model zoo has 182 labels, as S-FLCKR; the cuts are random in training.
for (const [split, end] of [
  ['train', 'Train'],
  ['validation', 'Validation'],
])
  registerDataset(`ldm.data.landscapes.RFW${end}`, ({ data_root, size, crop_size }: LandscapesParams) => {
    const howToGet =
      'The images of the original were collected from Flickr and are not published. Expected are a list of names, images, and greyscale PNGs of the same names with the 182 labels of COCO-Stuff.';
    const folder = new DataFolder({ dataset: `RFW${end}`, root: data_root, howToGet });
    return new SegmentationBase(folder.lines(`rfw_${split}.txt`, 'the list of its images'), {
      images: folder.existing('rfw_images', 'the folder of its images'),
      maps: folder.existing('rfw_segmentations', 'the folder of its maps of labels'),
      size,
      crop_size,
      random_crop: split === 'train',
      interpolation: 'bicubic',
      n_labels: 182,
    });
  });
