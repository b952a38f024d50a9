/**
 * Builds a retrieval database of a folder of images: patches of each image as CLIP embeddings (the reference publishes its
 * databases; how they were made is rdm/data/retrieval_dataset/dsetbuilder.py of CompVis retrieval-augmented-diffusion-models).
 *
 * A second run embeds new and changed images only and leaves out those that are gone. An interrupted run keeps what it has.
 */
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { writeAtomically } from '../checkpoint/atomic';
import { decodeImage } from '../data/image';
import { listImages } from '../data/list-images';
import { centred, cut, type Pixels } from '../data/pixels';
import { DataRandom } from '../data/random';
import { digestOfFile } from '../download';
import { LdmError } from '../errors';
import { withFileLock } from '../file-lock';
import type { CallOptions } from '../job';
import { loadClipImageEmbedder } from '../models/clip-files';
import type { FrozenClipImageEmbedder } from '../models/frozen-clip-image-embedder';
import { Tensor } from '../tensor';
import { buildGraph, removeGraph } from './build-graph';
import { ARRAYS, type ImageEntry, INDEX, type IndexFile, type Part, readImageList, readIndexFile } from './layout';
import { openNpz, writeNpz } from './npz';

export interface BuildIndexOptions {
  /** Folder of images; sub-folders count. */
  images: string;
  /** Folder of the database. */
  out: string;
  /** File of CLIP weights; see {@link loadClipImageEmbedder}. */
  clip: string;
  /** Patches of each image. 1 (default): the square in the middle. More: at random places. */
  patches?: number;
  /** Side of a patch in pixels. Default 256. */
  patchSize?: number;
  /** What the shorter side of an image is resized to. Default: a patch's side for one patch, four of them for several. */
  imageSize?: number;
  /** Of the random places. Default 0. */
  seed?: number;
  /** Patches that are embedded at a time. Default 16. */
  batchSize?: number;
  device?: string;
  precision?: CallOptions['precision'];
  /** From how many embeddings on a graph of neighbours is built. Default 20,000, as in the reference. */
  graphFrom?: number;
  signal?: AbortSignal;
  /** Called with what is done and to be done, first of the images, then of the graph. */
  onProgress?: (stage: 'embedding' | 'graph', done: number, total: number) => void;
  /** Called for each image that cannot be read; it is left out. */
  onSkip?: (file: string, error: Error) => void;
}

export interface BuiltIndex {
  folder: string;
  /** Embeddings in the database. */
  embeddings: number;
  /** Images that were embedded, left out because they changed or are gone, and that cannot be read. */
  added: number;
  removed: number;
  skipped: string[];
  /** Whether there is a graph of neighbours; without one the search is exact. */
  graph: boolean;
}

/** Embeddings of one archive, at least: so much is lost when a run is interrupted. */
const PART = 4096;
const GRAPH_FROM = 20_000;

/**
 * Builds the database, or brings it up to date.
 * @throws LdmError ERR_FILE, ERR_DATA, ERR_CHECKPOINT for what cannot be read; ERR_INVALID_ARGUMENT when the database was
 *   built with other options; ERR_ABORTED
 */
export async function buildIndex(options: BuildIndexOptions): Promise<BuiltIndex> {
  const out = path.resolve(options.out);
  try {
    fs.mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot make the folder ${out}: ${(error as Error).message}`, { cause: error });
  }
  const result = await withLock(out, () => new Builder(options, out).run());
  const { graphFrom = GRAPH_FROM, signal, onProgress } = options;
  const graph = result.embeddings >= graphFrom;
  if (graph) await buildGraph(out, { signal, onProgress: (done, total) => onProgress?.('graph', done, total) });
  else removeGraph(out);
  return { folder: out, ...result, graph };
}

async function withLock<T>(out: string, work: () => Promise<T>): Promise<T> {
  let result!: T;
  await withFileLock(path.join(out, '.lock'), async () => {
    result = await work();
  });
  return result;
}

/** What is embedded and waits to be written. */
interface Pending {
  embedding: Float32Array[];
  imageIds: number[];
  coords: number[];
  images: ImageEntry[];
}

class Builder {
  #index!: IndexFile;
  #pending: Pending = emptyPending();

  constructor(
    private readonly options: BuildIndexOptions,
    private readonly out: string,
  ) {}

  async run(): Promise<Omit<BuiltIndex, 'folder' | 'graph'>> {
    const root = path.resolve(this.options.images);
    const names = listImages(root);
    if (names.length === 0) throw new LdmError('ERR_DATA', `No image found in ${root} and its sub-folders.`);
    const found = new Map(names.map((name) => [name, stateOf(root, name)]));
    using embedder = await loadClipImageEmbedder(this.options.clip, {
      antialias: true,
      device: this.options.device,
      signal: this.options.signal,
    });
    this.#index = await this.#begin(root);
    const removed = await this.#dropImages((entry) => {
      const now = found.get(entry.file);
      return now !== undefined && now.bytes === entry.bytes && now.mtime === entry.mtime;
    });
    this.#removeStrangers();
    const known = new Set(this.#index.parts.flatMap((part) => this.#images(part)).map(({ file }) => file));
    const missing = names.filter((name) => !known.has(name));
    let skipped: string[];
    try {
      skipped = await this.#embedAll(embedder, missing);
    } finally {
      // Also when it was interrupted: what has been embedded is there for the next run.
      await this.#flush();
    }
    const embeddings = this.#index.parts.reduce((sum, part) => sum + part.embeddings, 0);
    if (embeddings === 0) throw new LdmError('ERR_DATA', `None of the ${names.length} images in ${root} can be read.`);
    return { embeddings, added: missing.length - skipped.length, removed, skipped };
  }

  /** The index that is there, when it was built in the same way, or a new one. */
  async #begin(root: string): Promise<IndexFile> {
    const { patches = 1, patchSize = 256, seed = 0, clip } = this.options;
    const imageSize = this.options.imageSize ?? (patches === 1 ? patchSize : 4 * patchSize);
    if (imageSize < patchSize)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected an image size of at least the patch size, ${patchSize}, but received ${imageSize}`,
      );
    const wanted = {
      root,
      clip: await digestOfFile(clip, 'sha256'),
      patch_size: patchSize,
      patches,
      image_size: imageSize,
      seed,
    };
    const there = readIndexFile(this.out);
    if (!there) return { version: 1, ...wanted, dimensions: 1, next_id: 0, parts: [] };
    const other = (Object.keys(wanted) as (keyof typeof wanted)[]).find((key) => there[key] !== wanted[key]);
    if (other !== undefined)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `${this.out} was built with ${other} ${there[other]}, but now it is ${wanted[other]}. Use the same, or another folder.`,
      );
    return there;
  }

  #images(part: Part): ImageEntry[] {
    return readImageList(this.out, part.images!);
  }

  /** Writes archives anew without the images that are not to be kept. */
  async #dropImages(keep: (entry: ImageEntry) => boolean): Promise<number> {
    let removed = 0;
    const parts: IndexFile['parts'] = [];
    for (const part of this.#index.parts) {
      const images = this.#images(part);
      const kept = images.filter(keep);
      removed += images.length - kept.length;
      if (kept.length === images.length) parts.push(part);
      else if (kept.length > 0) parts.push(await this.#writeRest(part, kept));
    }
    if (removed > 0) await this.#commit({ ...this.#index, parts });
    return removed;
  }

  async #writeRest(part: Part, kept: readonly ImageEntry[]): Promise<IndexFile['parts'][number]> {
    const { embedding, img_id, patch_coords } = await openNpz(path.join(this.out, part.file), ARRAYS);
    const [all, ids, coords] = [await embedding.read(), await img_id.read(), await patch_coords.read()];
    const wanted = new Set(kept.map(({ img_id: id }) => id));
    const d = this.#index.dimensions;
    const rest = { ...emptyPending(), images: [...kept] };
    for (const [row, id] of Array.from(ids, Number).entries())
      if (wanted.has(id)) {
        rest.embedding.push((all as Float32Array).slice(row * d, (row + 1) * d));
        rest.imageIds.push(id);
        rest.coords.push(...Array.from(coords.slice(4 * row, 4 * row + 4), Number));
      }
    return this.#writePart(rest);
  }

  /** Files of a run that ended before it could enter them. */
  #removeStrangers(): void {
    const own = new Set(this.#index.parts.flatMap(({ file, images }) => [file, images]));
    for (const name of fs.readdirSync(this.out))
      if (/^\.?part-\d{6}\.(npz|json)/.test(name) && !own.has(name))
        fs.rmSync(path.join(this.out, name), { force: true });
  }

  /** @returns the images that cannot be read */
  async #embedAll(embedder: FrozenClipImageEmbedder, names: readonly string[]): Promise<string[]> {
    const { batchSize = 16, signal, onProgress, onSkip } = this.options;
    const each = Math.max(1, Math.floor(batchSize / this.#index.patches));
    const skipped: string[] = [];
    const decode = (at: number) =>
      Promise.all(
        names.slice(at, at + each).map((name) => this.#patchesOf(name).catch((error: Error) => ({ name, error }))),
      );
    let next = decode(0);
    for (let at = 0; at < names.length; at += each) {
      if (signal?.aborted) throw new LdmError('ERR_ABORTED', 'The operation was aborted', { cause: signal.reason });
      const decoded = await next;
      // The next images are decoded while these are embedded.
      next = decode(at + each);
      const good: PatchedImage[] = [];
      for (const image of decoded) {
        if ('patches' in image) good.push(image);
        else {
          skipped.push(image.name);
          onSkip?.(image.name, image.error);
        }
      }
      await this.#embed(embedder, good, batchSize);
      if (this.#pending.imageIds.length >= PART) await this.#flush();
      onProgress?.('embedding', Math.min(at + each, names.length), names.length);
    }
    return skipped;
  }

  async #patchesOf(name: string): Promise<PatchedImage> {
    const { root, image_size: size, patch_size: side, patches, seed } = this.#index;
    const image = await decodeImage(path.join(root, name), { size, interpolation: 'cubic', background: 'white' }, name);
    const spare = { x: image.width - side, y: image.height - side };
    const random = new DataRandom(seed, crc32(name));
    const corners = Array.from({ length: patches }, () =>
      patches === 1
        ? { left: spare.x >> 1, top: spare.y >> 1 }
        : { top: Math.floor(spare.y * random.uniform()), left: Math.floor(spare.x * random.uniform()) },
    );
    return {
      name,
      state: stateOf(root, name),
      patches: corners.map(({ left, top }) => ({
        pixels: cut(image, left, top, side, side),
        coords: [left, top, left + side, top + side],
      })),
    };
  }

  async #embed(embedder: FrozenClipImageEmbedder, images: readonly PatchedImage[], batchSize: number): Promise<void> {
    const { device, precision, signal } = this.options;
    const patches = images.flatMap((image) => image.patches);
    const embeddings: Float32Array[] = [];
    for (let at = 0; at < patches.length; at += batchSize) {
      const batch = patches.slice(at, at + batchSize).map(({ pixels }) => pixels);
      using pictures = pictureTensor(batch).to({ device: device ?? 'cpu' });
      using embedded = await embedder.encode(pictures, { precision, signal });
      using floats = embedded.to({ dtype: 'float32', device: 'cpu' });
      this.#index.dimensions = floats.shape[1];
      embeddings.push((await floats.data()) as Float32Array);
    }
    this.#pending.embedding.push(...embeddings);
    for (const { name, state, patches: own } of images) {
      const id = this.#index.next_id++;
      this.#pending.images.push({ img_id: id, file: name, ...state });
      for (const { coords } of own) {
        this.#pending.imageIds.push(id);
        this.#pending.coords.push(...coords);
      }
    }
  }

  async #flush(): Promise<void> {
    if (this.#pending.imageIds.length === 0) return;
    const part = await this.#writePart(this.#pending);
    this.#pending = emptyPending();
    await this.#commit({ ...this.#index, parts: [...this.#index.parts, part] });
  }

  async #writePart({ embedding, imageIds, coords, images }: Pending): Promise<IndexFile['parts'][number]> {
    const n = imageIds.length;
    const d = this.#index.dimensions;
    const all = new Float32Array(n * d);
    let at = 0;
    for (const rows of embedding) {
      all.set(rows, at);
      at += rows.length;
    }
    const name = this.#nextName();
    await writeAtomically(path.join(this.out, `${name}.npz`), (handle) =>
      writeNpz(handle, {
        embedding: { data: all, shape: [n, d] },
        img_id: { data: BigInt64Array.from(imageIds, BigInt), shape: [n] },
        patch_coords: { data: BigInt64Array.from(coords, BigInt), shape: [n, 4] },
      }),
    );
    await writeJson(path.join(this.out, `${name}.json`), images);
    return { file: `${name}.npz`, embeddings: n, images: `${name}.json` };
  }

  /** Numbers go on, also over archives that are about to be replaced. */
  #nextName(): string {
    const numbers = fs.readdirSync(this.out).map((name) => Number(/^part-(\d{6})\./.exec(name)?.[1] ?? 0));
    return `part-${String(Math.max(0, ...numbers) + 1).padStart(6, '0')}`;
  }

  /** From here on the new archives count; then the old ones go. */
  async #commit(index: IndexFile): Promise<void> {
    await writeJson(path.join(this.out, INDEX), index);
    const before = this.#index;
    this.#index = index;
    const own = new Set(index.parts.map(({ file }) => file));
    for (const { file, images } of before.parts)
      if (!own.has(file)) for (const name of [file, images]) fs.rmSync(path.join(this.out, name), { force: true });
  }
}

interface PatchedImage {
  name: string;
  state: ReturnType<typeof stateOf>;
  patches: { pixels: Pixels; coords: number[] }[];
}

const emptyPending = (): Pending => ({ embedding: [], imageIds: [], coords: [], images: [] });

/** Tells whether an image has changed. */
function stateOf(root: string, name: string): { bytes: number; mtime: number } {
  const { size, mtimeMs } = fs.statSync(path.join(root, name));
  return { bytes: size, mtime: mtimeMs };
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value)}\n`);
  });
}

/** Images of one size as [n, 3, side, side] in [-1, 1]. */
function pictureTensor(images: readonly Pixels[]): Tensor {
  const { width, height } = images[0];
  const each = width * height * 3;
  const all = new Uint8Array(images.length * each);
  images.forEach(({ data }, i) => {
    all.set(data, i * each);
  });
  return Tensor.from(centred(all), [images.length, height, width, 3]).permute(0, 3, 1, 2);
}
