/** Images in batches of 8-bit tensors, for measuring. */
import path from 'node:path';
import type { ImageBatch } from '../data/collate';
import { readRgb } from '../data/decode';
import { compareNames, IMAGE_EXTENSIONS, listImages } from '../data/list-images';
import type { Pixels } from '../data/pixels';
import { centerCut, cutAt, smallestMaxSize } from '../data/preprocess/crops';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';

/** Images of one size. */
export interface EightBitBatch {
  /** uint8 [n, 3, H, W] on the CPU. */
  images: Tensor;
  /** Their names, for messages. */
  names: readonly string[];
}

/** A set of images that is read batch by batch. */
export interface ImageSource {
  /** How many there are. */
  readonly length: number;
  batches(): AsyncIterable<EightBitBatch>;
}

/**
 * The image files of a folder and its sub-folders as Python's tools read them: converted to RGB without colour management.
 * Transparent images are laid on white, as for training: what lies below transparency is no part of a picture.
 */
export class FolderOfImages implements ImageSource {
  private constructor(
    readonly root: string,
    /** Paths relative to the root, in order. */
    readonly names: readonly string[],
    private readonly options: { batchSize: number; size: number | null },
  ) {}

  /**
   * @param options.size bring the shorter side to this size (OpenCV's bilinear filter) and cut the square in the middle, as
   *   the reference's data sets do (taming.data.base.ImagePaths); null: as they are
   * @throws LdmError ERR_FILE when there is no such folder, ERR_DATA when it holds no image
   */
  static open(root: string, options: { batchSize: number; size?: number | null }): FolderOfImages {
    const names = listImages(root);
    if (names.length === 0)
      throw new LdmError(
        'ERR_DATA',
        `No image found in ${root} and its sub-folders. Expected files ending in ${IMAGE_EXTENSIONS.join(' ')}.`,
      );
    return new FolderOfImages(root, names, { batchSize: options.batchSize, size: options.size ?? null });
  }

  get length(): number {
    return this.names.length;
  }

  /** Only these, in this order. */
  only(names: readonly string[]): FolderOfImages {
    return new FolderOfImages(this.root, names, this.options);
  }

  /** Batches of up to `batchSize` images of one size: an image of another size begins a new batch. */
  async *batches(): AsyncGenerator<EightBitBatch> {
    const { batchSize } = this.options;
    let pending: { name: string; pixels: Pixels }[] = [];
    // Decoded while the batch before is at work.
    let next = this.#read(0, batchSize);
    for (let at = 0; at < this.names.length; at += batchSize) {
      const read = await next;
      next = this.#read(at + batchSize, batchSize);
      next.catch(() => undefined);
      for (const image of read) {
        const [first] = pending;
        const fits =
          !first || (first.pixels.width === image.pixels.width && first.pixels.height === image.pixels.height);
        if (!fits || pending.length === batchSize) {
          yield batchOf(pending);
          pending = [];
        }
        pending.push(image);
      }
    }
    if (pending.length > 0) yield batchOf(pending);
  }

  #read(from: number, count: number): Promise<{ name: string; pixels: Pixels }[]> {
    const names = this.names.slice(from, from + count);
    return Promise.all(names.map(async (name) => ({ name, pixels: await this.#pixels(name) })));
  }

  async #pixels(name: string): Promise<Pixels> {
    const image = await readRgb(path.join(this.root, name), { background: 'white' });
    const { size } = this.options;
    if (size === null) return image;
    const scaled = smallestMaxSize(image, size);
    return cutAt(scaled, centerCut(scaled, size, size));
  }
}

function batchOf(images: readonly { name: string; pixels: Pixels }[]): EightBitBatch {
  const { width, height } = images[0].pixels;
  const bytes = width * height * 3;
  const all = new Uint8Array(images.length * bytes);
  images.forEach(({ pixels }, i) => {
    all.set(pixels.data, i * bytes);
  });
  using rows = Tensor.from(all, [images.length, height, width, 3]);
  using planes = rows.permute(0, 3, 1, 2);
  return { images: planes.contiguous(), names: images.map(({ name }) => name) };
}

/** 8-bit levels as images [n, 3, H, W] in [-1, 1], as the reference's data sets have them. */
export function toUnitRange(images: Tensor, device: string): Tensor {
  using wide = images.to({ dtype: 'float32', device });
  using scaled = wide.div(127.5);
  return scaled.sub(1);
}

/** Images in [-1, 1] as 8-bit levels, rounded to the nearest; what lies outside is clamped. */
export function toLevels(images: Tensor): Tensor {
  using detached = images.detach();
  using wide = detached.to({ dtype: 'float32', device: 'cpu' });
  using shifted = wide.add(1);
  using scaled = shifted.mul(127.5);
  using rounded = scaled.round();
  using clamped = rounded.clamp(0, 255);
  return clamped.to({ dtype: 'uint8' });
}

/** The images of a data set's batch as levels. */
export function levelsOfBatch(batch: ImageBatch): Tensor {
  using planes = batch.image.permute(0, 3, 1, 2);
  using whole = planes.contiguous();
  return toLevels(whole);
}

/**
 * The images of two folders that belong together: of the same path without its ending.
 * @returns null when no two names are the same
 * @throws LdmError ERR_DATA when some have a partner and others have not
 */
export function pairsOf(a: FolderOfImages, b: FolderOfImages): { a: FolderOfImages; b: FolderOfImages } | null {
  const [byName, other] = [byStem(a), byStem(b)];
  const common = [...byName.keys()].filter((stem) => other.has(stem)).sort(compareNames);
  if (common.length === 0) return null;
  const alone = (from: Map<string, string>, to: Map<string, string>) => [...from.keys()].find((stem) => !to.has(stem));
  const [lonelyA, lonelyB] = [alone(byName, other), alone(other, byName)];
  if (lonelyA !== undefined || lonelyB !== undefined) {
    const [name, here, there] = lonelyA !== undefined ? [lonelyA, a.root, b.root] : [lonelyB, b.root, a.root];
    throw new LdmError(
      'ERR_DATA',
      `${common.length} images have partners of the same name, but ${name} in ${here} has none in ${there}. Compare complete pairs, or ask for --metrics fid alone.`,
    );
  }
  return { a: a.only(common.map((stem) => byName.get(stem)!)), b: b.only(common.map((stem) => other.get(stem)!)) };
}

function byStem(folder: FolderOfImages): Map<string, string> {
  const stems = new Map<string, string>();
  for (const name of folder.names) {
    const stem = name.slice(0, name.length - path.extname(name).length);
    const before = stems.get(stem);
    if (before !== undefined)
      throw new LdmError(
        'ERR_DATA',
        `${before} and ${name} in ${folder.root} cannot be told apart without their endings.`,
      );
    stems.set(stem, name);
  }
  return stems;
}
