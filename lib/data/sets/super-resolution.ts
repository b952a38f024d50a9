/** Pairs of a degraded image and the image itself (reference: ImageNetSR of ldm/data/imagenet.py). */
import fs from 'node:fs';
import { BufferSource } from '../../checkpoint/byte-source';
import { PickleError, unpickle } from '../../checkpoint/pickle-machine';
import type { ImageNetSRParams, SuperResolutionParams } from '../../config/targets/data-sets/imagenet';
import { LdmError } from '../../errors';
import { DataFolder } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import { superResolution } from '../preprocess/super-resolution';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';
import { ImageNet, type ImageNetSplit } from './imagenet';
import { openImagesFiles } from './open-images';

/** An image file and what else is known about it. */
interface Source {
  length: number;
  nameOf(index: number): string;
  labelsOf(index: number): Sample;
}

/** Samples: `image` [size, size, 3], `LR_image` [size / downscale_f, ..., 3], and what the source knows. */
class SuperResolution implements Dataset {
  readonly classNames = [];

  constructor(
    private readonly source: Source,
    private readonly params: SuperResolutionParams,
  ) {}

  get length(): number {
    return this.source.length;
  }

  nameOf(index: number): string {
    return this.source.nameOf(index);
  }

  async get(index: number, random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> {
    const { data_root: _, ...options } = this.params;
    const { arrays } = await preprocess(superResolution, { source: this.nameOf(index), ...options }, random);
    return { ...this.source.labelsOf(index), ...arrays };
  }
}

/** The indices of the images that are large enough, which the reference keeps in a pickle. */
function largeImages(split: ImageNetSplit, { hr_indices, data_root }: ImageNetSRParams): number[] {
  const name = hr_indices ?? `imagenet_${split === 'train' ? 'train' : 'val'}_hr_indices.p`;
  const folder = new DataFolder({
    dataset: `ImageNetSR (${split})`,
    root: data_root,
    howToGet:
      'It belongs to the original repository, github.com/CompVis/latent-diffusion, folder data. To use every image instead, set the parameter hr_indices=all.',
  });
  const file = folder.existing(name, 'a pickled list of the indices of large images');
  const fail = (reason: string): never => {
    throw new LdmError('ERR_DATA', `${file}: expected a pickled list of indices but ${reason}.`);
  };
  const refuse = () => {
    throw new PickleError('it names a class, and a list of integers needs none');
  };
  let indices: unknown;
  try {
    const world = { global: refuse, call: refuse, persistent: refuse, build: refuse };
    indices = unpickle(new BufferSource(fs.readFileSync(file)), world);
  } catch (error) {
    if (!(error instanceof PickleError)) throw error;
    fail(error.message);
  }
  if (!Array.isArray(indices) || !indices.every((i) => Number.isSafeInteger(Number(i)) && Number(i) >= 0))
    fail('found something else');
  return (indices as unknown[]).map(Number);
}

function imageNetSR(split: ImageNetSplit, params: ImageNetSRParams): SuperResolution {
  const { hr_indices, ...options } = params;
  const config = { size: 0, keep_orig_class_label: false };
  const all = new ImageNet(split, { data_root: params.data_root, config });
  if (hr_indices === 'all') return new SuperResolution(all, options);
  const indices = largeImages(split, params);
  const beyond = indices.find((i) => i >= all.length);
  if (beyond !== undefined)
    throw new LdmError(
      'ERR_DATA',
      `The list of large images names index ${beyond}, but there are ${all.length} images only. It is made for all of ILSVRC2012; set the parameter hr_indices=all for another set.`,
    );
  const large: Source = {
    length: indices.length,
    nameOf: (index) => all.nameOf(indices[index]),
    labelsOf: (index) => all.labelsOf(indices[index]),
  };
  return new SuperResolution(large, options);
}

registerDataset('ldm.data.imagenet.ImageNetSRTrain', (params: ImageNetSRParams) => imageNetSR('train', params));
registerDataset('ldm.data.imagenet.ImageNetSRValidation', (params: ImageNetSRParams) => {
  return imageNetSR('validation', params);
});
for (const [split, end] of [
  ['train', 'Train'],
  ['validation', 'Validation'],
] as const)
  registerDataset(`ldm.data.openimages.SuperresOpenImagesAdvanced${end}`, (params: SuperResolutionParams) => {
    const files = openImagesFiles(split, params.data_root);
    const nameOf = (index: number) => files[index];
    return new SuperResolution(
      { length: files.length, nameOf, labelsOf: (index) => ({ file_path_: nameOf(index) }) },
      params,
    );
  });
