/** Where commands put the pictures that they draw: names as the original scripts give them, files whole or not at all. */
import fs from 'node:fs';
import path from 'node:path';
import { encodePng, makeGrid, type Pictures, picturesOf, toBytes, writeFileAtomic } from '../pictures/picture';
import type { Tensor } from '../tensor';
import { UsageError } from './errors';

/** Pictures in [0, 1] as the reference saves them: levels are cut off, not rounded. */
const SAVED = { range: [0, 1], rounding: 'truncate' } as const;

/** Bytes [height, width, channels] of one of several pictures in [0, 1]. */
export function savedBytes(pictures: Pictures, index: number): Uint8Array {
  return toBytes(pictures, { ...SAVED, index });
}

/** Writes one of several pictures in [0, 1]; `settings` become a text chunk, so that a picture tells how it was made. */
export async function savePicture(file: string, pictures: Pictures, index: number, settings: object): Promise<void> {
  const text = { settings: JSON.stringify(settings) };
  writeFileAtomic(file, await encodePng(savedBytes(pictures, index), pictures, text));
}

/** Writes pictures in [0, 1] as a grid, as torchvision.utils.make_grid arranges them. */
export async function saveGrid(
  file: string,
  parts: readonly Pictures[],
  columns: number,
  settings: object,
): Promise<void> {
  const grid = makeGrid(joinPictures(parts), { nrow: columns });
  await savePicture(file, grid, 0, settings);
}

/** All pictures of several batches of one size. */
export function joinPictures(parts: readonly Pictures[]): Pictures {
  const batch = parts.reduce((sum, p) => sum + p.batch, 0);
  const data = new Float32Array(parts.reduce((sum, p) => sum + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { ...parts[0], batch, data };
}

/** Pictures of a tensor [n, c, h, w], which is disposed of. */
export async function takePictures(images: Tensor): Promise<Pictures> {
  try {
    return await picturesOf(images);
  } finally {
    images.dispose();
  }
}

/**
 * The number of the next file in a folder, as the scripts count: how many entries there are. Where numbers have gaps it is
 * the one after the highest, so that nothing is overwritten.
 * @param pattern the number is its first group
 * @param besides an entry that does not count
 */
export function nextNumber(folder: string, pattern: RegExp, besides?: string): number {
  if (!fs.existsSync(folder)) return 0;
  const names = fs.readdirSync(folder).filter((name) => name !== besides);
  const numbers = names.map((name) => Number(pattern.exec(name)?.[1] ?? -1));
  return Math.max(names.length, ...numbers.map((n) => n + 1));
}

/** A text as the name of a file: spaces become hyphens as in the scripts; what file systems refuse does, too. */
export function fileNameOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a file name must not hold
  const safe = text.replace(/[\s/\\:*?"<>|\x00-\x1f]/g, '-').replace(/^\.+/, '');
  let name = safe;
  while (Buffer.byteLength(name) > 200) name = name.slice(0, -1);
  return name || 'grid';
}

/**
 * Where the pictures that are made of files go: `outdir/name.png`.
 * @throws UsageError when two would have one name, or one would replace its source
 */
export function outputPaths(outdir: string, sources: readonly string[]): string[] {
  const files = sources.map((source) => path.join(outdir, `${path.basename(source, path.extname(source))}.png`));
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) throw new UsageError(`Two of the files would become ${twice}: give them different names.`);
  const own = files.find((file, i) => path.resolve(file) === path.resolve(sources[i]));
  if (own !== undefined) throw new UsageError(`The result would replace ${own}: choose another --outdir.`);
  return files;
}

/** Several pictures in place of one: `name-0000.png` and so on; one keeps its name. */
export function numberedPaths(file: string, n: number): string[] {
  if (n === 1) return [file];
  return Array.from({ length: n }, (_, k) => file.replace(/\.png$/, `-${String(k).padStart(4, '0')}.png`));
}
