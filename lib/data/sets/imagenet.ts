/**
 * ImageNet (ILSVRC2012) in folders by synset (reference: ldm/data/imagenet.py, taming/data/imagenet.py).
 *
 * Departures: nothing is downloaded or extracted; filelist.txt is read where it is there, else the folders are listed.
 * `keep_orig_class_label` works without `sub_indices` too, where the reference lacks its table.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ImageNetParams } from '../../config/targets/data-sets/imagenet';
import { LdmError } from '../../errors';
import { readLines } from '../data-folder';
import type { Dataset, Sample } from '../dataset';
import { imageNetClasses, parseIndexSynset } from '../imagenet-classes';
import type { Preprocess } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';
import { ImagePaths } from './base';

export type ImageNetSplit = 'train' | 'validation';

/** A damaged file of the training images. */
const IGNORED = 'n06596364_9591.JPEG';

/** The files of one split, found but not read. */
export class ImageNetFiles {
  /** Folder with data/ and the tables. */
  readonly root: string;
  /** Paths of the images below data/: synset/name. */
  readonly relpaths: readonly string[];

  /** @throws LdmError ERR_DATA when they are not there */
  constructor(split: ImageNetSplit, dataRoot: string | null) {
    this.root = findRoot(`ILSVRC2012_${split}`, dataRoot);
    const list = path.join(this.root, 'filelist.txt');
    const names = fs.existsSync(list) ? readLines(list) : listFolders(path.join(this.root, 'data'));
    if (names.length === 0)
      throw new LdmError(
        'ERR_DATA',
        `No image found in ${path.join(this.root, 'data')}. Expected files n01440764/....JPEG in a folder for each class.`,
      );
    this.relpaths = names.filter((name) => path.posix.basename(name) !== IGNORED);
  }

  pathOf(relpath: string): string {
    return path.join(this.root, 'data', relpath);
  }

  /** Label and synset: index_synset.yaml of the folder, or else the usual order. */
  indexToSynset(): Map<number, string> {
    const file = path.join(this.root, 'index_synset.yaml');
    if (fs.existsSync(file)) return parseIndexSynset(fs.readFileSync(file, 'utf8'));
    return new Map(imageNetClasses().map(({ synset }, index) => [index, synset]));
  }

  /** Names by synset: synset_human.txt of the folder, or else those of the 1000 classes. */
  synsetToHuman(): Map<string, string> {
    const file = path.join(this.root, 'synset_human.txt');
    if (!fs.existsSync(file)) return new Map(imageNetClasses().map(({ synset, label }) => [synset, label]));
    return new Map(
      readLines(file).map((line) => {
        const [, synset, names] = /^\s*(\S+)\s*(.*)$/.exec(line)!;
        return [synset, names];
      }),
    );
  }
}

/** The reference's folder name below data_root, $LDM_DATA or the reference's cache. */
function findRoot(name: string, dataRoot: string | null): string {
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const parents =
    dataRoot !== null
      ? [dataRoot]
      : [...(process.env.LDM_DATA ? [process.env.LDM_DATA] : []), path.join(cache, 'autoencoders/data')];
  const places = parents.map((parent) => path.resolve(parent, name));
  const found = places.find((place) => fs.existsSync(path.join(place, 'data')));
  if (found !== undefined) return found;
  throw new LdmError(
    'ERR_DATA',
    `ImageNet needs the folder ${name}/data with the images in a folder for each synset (n01440764/n01440764_18.JPEG). Looked for ${places.join(' and ')}. Get ILSVRC2012 from https://image-net.org and unpack ${name.endsWith('train') ? 'its archive of archives' : 'it, sorted by validation_synset.txt'}; a link from data to an unpacked folder will do. Another folder is given with the parameter data_root or with LDM_DATA.`,
  );
}

/** Every `*.JPEG` one folder below `root`, sorted: what the reference writes to filelist.txt. */
function listFolders(root: string): string[] {
  return fs
    .readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .flatMap(({ name }) => fs.readdirSync(path.join(root, name)).map((file) => `${name}/${file}`))
    .filter((name) => name.endsWith('.JPEG'))
    .sort();
}

/** Class indices such as '32-123, 256'. As in the reference, the end of a range is left out. */
export function indicesOf(text: string): number[] {
  const indices = text.split(',').flatMap((part) => {
    const match = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part);
    if (!match)
      throw new LdmError(
        'ERR_CONFIG',
        `sub_indices: expected numbers and ranges such as '0-9, 20' but found '${part.trim()}' in '${text}'.`,
      );
    const from = Number(match[1]);
    return match[2] === undefined
      ? [from]
      : Array.from({ length: Math.max(0, Number(match[2]) - from) }, (_, i) => from + i);
  });
  return indices.sort((a, b) => a - b);
}

/** Samples: `image`, `class_label`, `human_label`, `synsets`, `relpath`, `file_path_`. */
export class ImageNet implements Dataset {
  readonly classNames: readonly string[];
  readonly #files: ImageNetFiles;
  readonly #relpaths: readonly string[];
  readonly #labelOf: ReadonlyMap<string, number>;
  readonly #names: ReadonlyMap<string, string>;
  readonly #images: ImagePaths;

  constructor(split: ImageNetSplit, { config, data_root }: Pick<ImageNetParams, 'config' | 'data_root'>) {
    this.#files = new ImageNetFiles(split, data_root);
    this.#relpaths = this.#files.relpaths;
    const { keep_orig_class_label: original, sub_indices } = config;
    const index = original || sub_indices !== undefined ? this.#files.indexToSynset() : undefined;
    if (sub_indices !== undefined) this.#relpaths = onlyOf(this.#relpaths, indicesOf(String(sub_indices)), index!);

    const present = [...new Set(this.#relpaths.map(synsetOf))].sort();
    const numbers = original
      ? [...index!].map(([n, synset]) => [synset, n] as const)
      : present.map((s, i) => [s, i] as const);
    this.#labelOf = new Map(numbers);
    const unknown = present.find((synset) => !this.#labelOf.has(synset));
    if (unknown !== undefined)
      throw new LdmError('ERR_DATA', `index_synset.yaml in ${this.#files.root} has no label for the class ${unknown}.`);
    this.#names = this.#files.synsetToHuman();
    const names: string[] = [];
    for (const [synset, label] of this.#labelOf) names[label] = this.#nameOf(synset);
    this.classNames = names;

    const crop = split === 'train' ? config.ImageNetTrain : config.ImageNetValidation;
    const random_crop = crop?.random_crop ?? split === 'train';
    const paths = this.#relpaths.map((relpath) => this.#files.pathOf(relpath));
    this.#images = new ImagePaths(paths, { size: config.size, random_crop });
  }

  get length(): number {
    return this.#relpaths.length;
  }

  nameOf(index: number): string {
    return this.#files.pathOf(this.#relpaths[index]);
  }

  async get(index: number, random: DataRandom, preprocess?: Preprocess): Promise<Sample> {
    return { ...(await this.#images.get(index, random, preprocess)), ...this.labelsOf(index) };
  }

  /** A sample without its image. */
  labelsOf(index: number): Sample {
    const relpath = this.#relpaths[index];
    const synset = synsetOf(relpath);
    const [class_label, human_label] = [this.#labelOf.get(synset)!, this.#nameOf(synset)];
    return { relpath, synsets: synset, class_label, human_label, file_path_: this.nameOf(index) };
  }

  #nameOf(synset: string): string {
    return this.#names.get(synset) ?? synset;
  }
}

function synsetOf(relpath: string): string {
  return relpath.slice(0, relpath.indexOf('/'));
}

function onlyOf(relpaths: readonly string[], indices: readonly number[], index: ReadonlyMap<number, string>): string[] {
  const unknown = indices.find((i) => !index.has(i));
  if (unknown !== undefined)
    throw new LdmError('ERR_CONFIG', `sub_indices: there is no class ${unknown}; there are ${index.size}, from 0.`);
  const wanted = new Set(indices.map((i) => index.get(i)!));
  const found = relpaths.filter((relpath) => wanted.has(synsetOf(relpath)));
  if (found.length === 0)
    throw new LdmError(
      'ERR_DATA',
      `There is no image of the classes that sub_indices names: ${[...wanted].join(', ')}.`,
    );
  return found;
}

for (const module of ['ldm.data.imagenet', 'taming.data.imagenet']) {
  registerDataset(`${module}.ImageNetTrain`, (params: ImageNetParams) => new ImageNet('train', params));
  registerDataset(`${module}.ImageNetValidation`, (params: ImageNetParams) => new ImageNet('validation', params));
}
