/** What a folder of images holds: how many, of which sizes, with which classes and captions. */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { ImageFolder } from '../data/image-folder';
import { listImages } from '../data/list-images';
import { DataRandom } from '../data/random';
import { LdmError } from '../errors';

export interface Survey {
  /** Folder of the training images: the one given, or its sub-folder `train`. */
  root: string;
  /** Its neighbour `val`, `validation` or `test`, where there is one beside `train`. */
  validation: string | null;
  images: number;
  /** Images whose size was looked at, and those of them that could not be read. */
  measured: number;
  unreadable: readonly string[];
  /** Shorter sides: the smallest, the one that a tenth of the images are below, and the middle one. */
  shorterSide: { smallest: number; tenth: number; median: number };
  /** Class names; empty where there are none. */
  classes: readonly string[];
  captions: boolean;
}

/** So many images are measured at most, at equal distances. */
const MOST = 1000;

/** @throws LdmError ERR_FILE when there is no such folder, ERR_DATA when no image in it can be read */
export async function surveyFolder(folder: string, signal?: AbortSignal): Promise<Survey> {
  const given = path.resolve(folder);
  const hasTrain = fs.existsSync(path.join(given, 'train')) && fs.statSync(path.join(given, 'train')).isDirectory();
  const root = hasTrain ? path.join(given, 'train') : given;
  const others = hasTrain ? ['val', 'validation', 'test'].map((name) => path.join(given, name)) : [];
  const names = listImages(root);
  const set = names.length > 0 ? ImageFolder.open({ root, size: 8 }) : undefined;
  const step = Math.max(1, names.length / MOST);
  const chosen = Array.from({ length: Math.min(MOST, names.length) }, (_, i) => names[Math.floor(i * step)]);
  const sides: number[] = [];
  const unreadable: string[] = [];
  for (const name of chosen) {
    signal?.throwIfAborted();
    try {
      const { width, height } = (await sharp(path.join(root, name)).metadata()).autoOrient;
      sides.push(Math.min(width, height));
    } catch {
      unreadable.push(name);
    }
  }
  if (!set || sides.length === 0)
    throw new LdmError(
      'ERR_DATA',
      names.length === 0
        ? `No image found in ${root} and its sub-folders.`
        : `None of the images in ${root} can be read.`,
    );
  sides.sort((a, b) => a - b);
  const at = (part: number) => sides[Math.min(sides.length - 1, Math.floor(part * sides.length))];
  const readable = names.indexOf(chosen.find((name) => !unreadable.includes(name))!);
  const sample = await set.get(readable, new DataRandom(0));
  return {
    root,
    validation: others.find((other) => fs.existsSync(other)) ?? null,
    images: names.length,
    measured: chosen.length,
    unreadable,
    shorterSide: { smallest: sides[0], tenth: at(0.1), median: at(0.5) },
    classes: set.classNames.length > 1 ? set.classNames : [],
    captions: sample.caption !== undefined,
  };
}
