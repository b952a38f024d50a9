/**
 * Images with captions in tar archives ("shards") in the layout of webdataset: files of one sample lie beside each other
 * and have one name, `000017.jpg`, `000017.txt` (or `.json` with "caption" or "text"), `000017.cls` (a class number).
 *
 * In an epoch the archives come in random order, and their samples through a shuffle buffer. Only headers are read ahead;
 * a sample's bytes are read where it is decoded. So the buffer costs next to nothing, and a resumed run passes over what
 * is done by reading headers.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { PreviewsParams, TarShardsParams } from '../../config/targets/data-sets/shards';
import { LdmError } from '../../errors';
import { DataFolder } from '../data-folder';
import type { IterableItem, Sample } from '../dataset';
import { type CaptionedArgs, captioned, type Part } from '../preprocess/captioned';
import { type Preprocess, preprocessHere } from '../preprocess/preprocessor';
import type { DataRandom } from '../random';
import { registerDataset } from '../registry';
import { shuffled } from '../shuffle-buffer';
import { tarEntries } from '../tar';
import { Txt2ImgIterableBaseDataset } from './iterable';

const IMAGES = ['jpg', 'jpeg', 'png', 'webp'];

/** Files of one sample by extension. */
interface ShardSample {
  archive: string;
  key: string;
  parts: Map<string, Part>;
}

type Options = Omit<TarShardsParams, 'shards'>;

/** Samples: `image`, `caption`, `class_label` (where they are given), `file_path_`. */
export class TarShards extends Txt2ImgIterableBaseDataset<string> {
  readonly #options: Options;

  constructor(shards: readonly string[], options: Options) {
    super({ ...options, valid_ids: shards });
    this.#options = options;
    if (!options.split) return;
    const [index, count] = options.split;
    if (index >= count || count > shards.length)
      throw new LdmError(
        'ERR_CONFIG',
        `split: expected [index, count] with an index below the count and no more parts than the ${shards.length} archives but found [${index}, ${count}].`,
      );
    this.split(index, count);
  }

  async *items({ position, random }: { position: number; random: DataRandom }): AsyncGenerator<IterableItem> {
    const { shuffle_buffer } = this.#options;
    const archives = this.sample_ids;
    const order = shuffle_buffer > 0 ? [...random.permutation(archives.length)].map((i) => archives[i]) : archives;
    let at = 0;
    for await (const sample of shuffled(samplesOf(order), shuffle_buffer, random))
      if (at++ >= position) yield 'error' in sample ? failed(sample) : this.#item(sample);
  }

  #item(sample: ShardSample): IterableItem {
    const name = `${sample.archive}/${sample.key}`;
    return {
      name,
      get: async (random: DataRandom, preprocess: Preprocess = preprocessHere): Promise<Sample> => {
        const { arrays, info } = await preprocess(captioned, this.#argsOf(sample, name), random);
        return { ...arrays, ...info, file_path_: name };
      },
    };
  }

  #argsOf({ archive, parts }: ShardSample, name: string): CaptionedArgs {
    const { size, random_crop, flip_p } = this.#options;
    const extension = IMAGES.find((ext) => parts.has(ext));
    if (!extension)
      throw new LdmError(
        'ERR_DATA',
        `${name} has no image: expected a file ending in ${IMAGES.join(', ')}; it has ${[...parts.keys()].join(', ')}.`,
      );
    const [txt, json] = [parts.get('txt'), parts.get('json')];
    return {
      archive,
      name: `${name}.${extension}`,
      image: parts.get(extension)!,
      text: txt ? { ...txt, json: false } : json ? { ...json, json: true } : null,
      label: parts.get('cls') ?? null,
      size,
      random_crop,
      flip_p,
    };
  }
}

/** An archive that cannot be read further. */
interface BrokenShard {
  archive: string;
  error: Error;
}

function failed({ archive, error }: BrokenShard): IterableItem {
  return { name: archive, get: () => Promise.reject(error) };
}

/** The samples of the archives one after another. What follows a damage in an archive is left out. */
async function* samplesOf(archives: readonly string[]): AsyncGenerator<ShardSample | BrokenShard> {
  for (const archive of archives) {
    let sample: ShardSample | undefined;
    try {
      for await (const { name, ...part } of tarEntries(archive)) {
        const [key, extension] = splitName(name);
        if (sample && sample.key !== key) yield sample;
        if (sample?.key !== key) sample = { archive, key, parts: new Map() };
        sample.parts.set(extension, part);
      }
      if (sample) yield sample;
    } catch (error) {
      yield { archive, error: error as Error };
    }
  }
}

/** a/b.c.jpg: key a/b, extension c.jpg, as webdataset has it. */
function splitName(name: string): [key: string, extension: string] {
  const slash = name.lastIndexOf('/') + 1;
  const dot = name.indexOf('.', slash);
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1).toLowerCase()];
}

/**
 * The archives that a pattern stands for: a folder's *.tar, {0000..0123} for a range, {a,b} for several, * in the name.
 * @throws LdmError ERR_DATA when there are none, or one is missing
 */
export function findShards(patterns: string | readonly string[]): string[] {
  const found = [patterns].flat().flatMap((pattern) => expandBraces(pattern).flatMap(filesOf));
  if (found.length === 0) throw new LdmError('ERR_DATA', `No archive found: ${[patterns].flat().join(', ')}.`);
  return found;
}

function filesOf(pattern: string): string[] {
  const place = path.resolve(pattern);
  const name = path.basename(place);
  if (name.includes('*'))
    return matching(path.dirname(place), new RegExp(`^${name.split('*').map(escaped).join('.*')}$`));
  if (!fs.existsSync(place))
    throw new LdmError(
      'ERR_DATA',
      `There is no archive ${place}. Expected a .tar with images and captions, or a folder of them.`,
    );
  return fs.statSync(place).isDirectory() ? matching(place, /\.tar$/) : [place];
}

function matching(folder: string, pattern: RegExp): string[] {
  if (!fs.existsSync(folder)) throw new LdmError('ERR_DATA', `There is no folder ${folder} with archives.`);
  const names = fs.readdirSync(folder).filter((name) => pattern.test(name));
  return names.sort().map((name) => path.join(folder, name));
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

/** {01..03} and {a,b}, as a shell expands them. */
function expandBraces(pattern: string): string[] {
  const match = /^(.*?)\{([^{}]+)\}(.*)$/s.exec(pattern);
  if (!match) return [pattern];
  const [, before, inside, after] = match;
  const range = /^(\d+)\.\.(\d+)$/.exec(inside);
  const words = range ? numbersBetween(range[1], range[2]) : inside.split(',');
  const ends = expandBraces(after);
  return words.flatMap((word) => ends.map((end) => before + word + end));
}

function numbersBetween(from: string, to: string): string[] {
  const width = from.startsWith('0') ? from.length : 0;
  const length = Math.max(0, Number(to) - Number(from) + 1);
  return Array.from({ length }, (_, i) => String(Number(from) + i).padStart(width, '0'));
}

registerDataset('node_ldm.data.TarShards', ({ shards, ...options }: TarShardsParams) => {
  return new TarShards(findShards(shards), options);
});

// The images and captions of text2img256, whose code and data are not published.
for (const [split, end] of [
  ['train', 'Train'],
  ['validation', 'Validation'],
])
  registerDataset(`ldm.data.previews.pytorch_dataset.Previews${end}`, ({ data_root, ...options }: PreviewsParams) => {
    const howToGet =
      'The original data are not published. Expected are tar archives of images and captions (000000.jpg, 000000.txt, ...), such as img2dataset makes of LAION.';
    const folder = new DataFolder({ dataset: `Previews${end}`, root: data_root, howToGet });
    return new TarShards(findShards(folder.existing(`previews/${split}`, 'a folder of tar archives')), options);
  });
