/**
 * A folder of images: sub-folders are classes (the layout of torchvision's ImageFolder), captions and labels may come
 * from a file. The reference has no such data set; its batches have the same keys as those of ldm/data/imagenet.py.
 */
import fs from 'node:fs';
import path from 'node:path';
import { resolveNode } from '../config';
import type { ImageFolderParams } from '../config/targets/image-sets';
import { LdmError } from '../errors';
import { type ImageItem, ImageSet, type ImageSetOptions } from './image-set';
import { compareNames, IMAGE_EXTENSIONS, listImages } from './list-images';
import { registerDataset } from './registry';

/** Files that tell captions, in order of preference. */
const CAPTION_FILES = ['captions.jsonl', 'captions.txt', 'metadata.jsonl'];
/** Files that tell classes, in order of preference. */
const LABEL_FILES = ['labels.jsonl', 'labels.txt'];

type ResolvedOptions = ImageSetOptions & { root: string; captions: string | null; labels: string | null };

/** Images of a folder; classes are numbered in alphabetical order of their names. */
export class ImageFolder extends ImageSet {
  private constructor(items: ImageItem[], classNames: string[], options: ImageSetOptions) {
    super(items, classNames, options);
  }

  /**
   * Lists the folder. Nothing is decoded yet.
   *
   * Captions come from a file of lines `path<TAB>caption` (.txt) or of objects with `file_name` and `text` or `caption`
   * (.jsonl); classes from lines `path<TAB>class name` or objects with `file_name` and `label`, or else from the first
   * folder of each path.
   * @throws LdmError ERR_CONFIG for wrong options, ERR_FILE when the folder is not there, ERR_DATA when it holds no image
   *   or a captions or labels file is wrong
   */
  static open(options: ImageFolderParams): ImageFolder {
    const full = resolveNode({ target: 'node_ldm.data.ImageFolder', params: options })
      .params as unknown as ResolvedOptions;
    const root = path.resolve(full.root);
    const names = listImages(root);
    if (names.length === 0)
      throw new LdmError(
        'ERR_DATA',
        `No image found in ${root} and its sub-folders. Expected files ending in ${IMAGE_EXTENSIONS.join(' ')}.`,
      );
    const captions = readTable(root, full.captions, CAPTION_FILES, ['text', 'caption']);
    const labels = readTable(root, full.labels, LABEL_FILES, ['label', 'class']) ?? labelsOfFolders(names);
    const classNames = labels
      ? [...new Set(names.map((n) => required(labels, n, 'class', root)))].sort(compareNames)
      : [];
    const indexOf = new Map(classNames.map((name, i) => [name, i]));
    const items = names.map((name) => ({
      file: path.join(root, name),
      name,
      ...(labels ? { class_label: indexOf.get(labels.get(name)!)! } : {}),
      ...(captions ? { caption: required(captions, name, 'caption', root) } : {}),
    }));
    return new ImageFolder(items, classNames, full);
  }
}

registerDataset('node_ldm.data.ImageFolder', ImageFolder.open);

/** The first folder of each path; undefined where no image lies in a sub-folder. Images beside sub-folders are class '.'. */
function labelsOfFolders(names: readonly string[]): Map<string, string> | undefined {
  if (!names.some((n) => n.includes('/'))) return undefined;
  return new Map(names.map((n) => [n, n.includes('/') ? n.slice(0, n.indexOf('/')) : '.']));
}

function required(table: ReadonlyMap<string, string>, name: string, what: string, root: string): string {
  const value = table.get(name);
  if (value === undefined)
    throw new LdmError(
      'ERR_DATA',
      `No ${what} is given for ${name} in ${root}. Add a line for it or move the image away.`,
    );
  return value;
}

/** Reads a captions or labels file: the one given, or the first of `usual` that exists. */
function readTable(
  root: string,
  given: string | null,
  usual: readonly string[],
  keys: readonly string[],
): Map<string, string> | undefined {
  const name = given ?? usual.find((n) => fs.existsSync(path.join(root, n)));
  if (name === undefined) return undefined;
  const file = path.resolve(root, name);
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    throw new LdmError('ERR_FILE', `Cannot read ${file}.`);
  }
  const table = new Map<string, string>();
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === '') return;
    const [image, value] = file.endsWith('.jsonl') ? parseJsonLine(line, keys) : parseTextLine(line);
    // A metadata.jsonl may hold other things than captions.
    if (value === undefined && given === null && name === 'metadata.jsonl') return;
    if (image === undefined || value === undefined)
      throw new LdmError(
        'ERR_DATA',
        `${file}, line ${i + 1}: expected ${file.endsWith('.jsonl') ? `an object with "file_name" and ${keys.map((k) => `"${k}"`).join(' or ')}` : 'a path, a tab and a text'} but found ${JSON.stringify(line.slice(0, 60))}.`,
      );
    table.set(image, value);
  });
  return table.size > 0 ? table : undefined;
}

function parseTextLine(line: string): [string | undefined, string | undefined] {
  const tab = line.indexOf('\t');
  return tab < 0 ? [undefined, undefined] : [line.slice(0, tab), line.slice(tab + 1).trim()];
}

function parseJsonLine(line: string, keys: readonly string[]): [string | undefined, string | undefined] {
  try {
    const entry = JSON.parse(line) as Record<string, unknown> | null;
    const value = keys.map((k) => entry?.[k]).find((v) => typeof v === 'string' || typeof v === 'number');
    return [
      typeof entry?.file_name === 'string' ? entry.file_name : undefined,
      value === undefined ? undefined : String(value),
    ];
  } catch {
    return [undefined, undefined];
  }
}
