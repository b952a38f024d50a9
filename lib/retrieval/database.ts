/**
 * Images by their CLIP embeddings, and the nearest ones to a query (reference: Searcher of scripts/knn2img.py). Reads the
 * databases of retrieval-augmented diffusion (OpenImages, ArtBench) and those of `ldm index`.
 *
 * Without a graph the search is exact, by products of matrices, as it is in the reference below 20,000 embeddings.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Index } from 'usearch';
import { contiguousStrides, MappedTensor, Mappings } from '../checkpoint/mapped-tensor';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { openGraph } from './graph';
import { ARRAYS, type ImageEntry, type Part, partsOf, readImageList, readSearcherFile } from './layout';
import { Nearest } from './nearest';
import { type NpzArray, type NpzData, openNpz } from './npz';

/** An image, or a part of one, near a query. */
export interface Neighbour {
  /** Place in the database. */
  index: number;
  /** Cosine of the angle between the embeddings, -1 to 1. */
  similarity: number;
  /** Number of the image in its data set. */
  imageId: number;
  /** Left, top, right and bottom in the resized image. */
  patchCoords: readonly number[];
  /** Path of the image; only of databases that were built here. */
  file?: string;
}

export interface Neighbours {
  /** [queries, k, d], each of length 1, from the nearest on. The caller disposes of it. */
  embeddings: Tensor;
  /** The same by query. */
  neighbours: Neighbour[][];
}

interface LoadedPart extends Part {
  /** Place of its first embedding in the database. */
  begin: number;
  /** [n, d] */
  embedding: Tensor;
  imageIds: () => Promise<NpzData>;
  patchCoords: () => Promise<NpzData>;
}

/** Embeddings that are compared at a time. */
const ROWS = 1 << 14;
/** A graph gives so many candidates for each neighbour, which are then ordered by their embeddings. */
const CANDIDATES = 4;

export class RetrievalDatabase {
  readonly folder: string;
  /** Number of embeddings. */
  readonly length: number;
  /** Length of an embedding. */
  readonly dimensions: number;
  /** Why a graph that is there is not used; null where all is well. */
  readonly warning: string | null;
  readonly #parts: readonly LoadedPart[];
  readonly #root: string | undefined;
  readonly #mappings: Mappings;
  readonly #graph: Index | undefined;
  readonly #images = new Map<string, Map<number, ImageEntry>>();

  private constructor(folder: string, loaded: Loaded, graph: Index | undefined, warning: string | null) {
    this.folder = folder;
    this.#parts = loaded.parts;
    this.#root = loaded.root;
    this.#mappings = loaded.mappings;
    this.#graph = graph;
    this.warning = warning;
    this.dimensions = loaded.parts[0].embedding.shape[1];
    const last = loaded.parts[loaded.parts.length - 1];
    this.length = last.begin + last.embeddings;
  }

  /** Whether the search goes through a graph, which may miss a neighbour now and then. */
  get approximate(): boolean {
    return this.#graph !== undefined;
  }

  /**
   * Opens a database. Archives that are not compressed are mapped; compressed ones are read into memory.
   * @param folder with archives of `embedding`, `img_id` and `patch_coords`
   * @throws LdmError ERR_FILE when it is not there, ERR_DATA when it holds no database or is damaged
   */
  static async open(folder: string): Promise<RetrievalDatabase> {
    const loaded = await load(folder);
    try {
      const searcher = readSearcherFile(folder);
      const same =
        searcher?.parts.length === loaded.parts.length &&
        loaded.parts.every((part, i) => {
          const other = searcher.parts[i];
          return other.file === part.file && other.embeddings === part.embeddings;
        });
      const warning =
        searcher && !same
          ? `The graph of ${folder} is older than its embeddings: the search is exact, and slower. Bring it up to date with ldm index ${folder}.`
          : null;
      const graph = searcher && same ? await openGraph(folder, searcher) : undefined;
      return new RetrievalDatabase(folder, loaded, graph, warning);
    } catch (error) {
      loaded.mappings.dispose();
      throw error;
    }
  }

  /**
   * The k nearest embeddings by their angle.
   * @param queries [n, d], of any length; on the CPU
   * @throws LdmError ERR_INVALID_ARGUMENT for queries of another width, or more neighbours than there are embeddings
   */
  async search(queries: Tensor, k: number): Promise<Neighbours> {
    const [n, width] = queries.shape;
    if (queries.dim !== 2 || width !== this.dimensions)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected queries [n, ${this.dimensions}], as long as the embeddings of ${this.folder}, but received [${queries.shape}]. The database and the queries need the same CLIP model.`,
      );
    if (!Number.isInteger(k) || k < 1 || k > this.length)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected 1 to ${this.length} neighbours, as many as ${this.folder} has, but received ${k}`,
      );
    const units = unit(queries.to({ dtype: 'float32', device: 'cpu' }));
    const nearest = this.#graph ? await this.#throughGraph(this.#graph, units, k) : await this.#throughAll(units, k);
    const found = nearest.map((one) => one.sorted());
    if (found.some((list) => list.length < k))
      throw new LdmError('ERR_DATA', `${this.folder} has fewer than ${k} embeddings that are not zero`);
    const embeddings = await this.#rows(found.flatMap((list) => list.map(({ index }) => index)));
    const neighbours = await Promise.all(found.map((list) => Promise.all(list.map((f) => this.#describe(f)))));
    return { embeddings: embeddings.reshape(n, k, this.dimensions), neighbours };
  }

  dispose(): void {
    for (const { embedding } of this.#parts) embedding.dispose();
    this.#mappings.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #throughAll(units: Tensor, k: number): Promise<Nearest[]> {
    const nearest = Array.from({ length: units.shape[0] }, () => new Nearest(k));
    for (const { embedding, begin, embeddings } of this.#parts) {
      for (let at = 0; at < embeddings; at += ROWS) {
        using rows = embedding.slice(0, at, Math.min(at + ROWS, embeddings));
        using floats = rows.to({ dtype: 'float32' });
        using compared = unit(floats);
        await offer(nearest, units, compared, (i) => begin + at + i);
      }
    }
    return nearest;
  }

  async #throughGraph(graph: Index, units: Tensor, k: number): Promise<Nearest[]> {
    const wanted = Math.min(CANDIDATES * k, this.length);
    const all = (await units.data()) as Float32Array;
    const nearest: Nearest[] = [];
    for (let i = 0; i < units.shape[0]; i++) {
      const query = new Float32Array(all.subarray(i * this.dimensions, (i + 1) * this.dimensions));
      const candidates = [...graph.search(query, wanted, 1).keys].map(Number);
      const one = new Nearest(k);
      await offer([one], units.slice(0, i, i + 1), await this.#rows(candidates), (j) => candidates[j]);
      nearest.push(one);
    }
    return nearest;
  }

  /** Embeddings of length 1, [n, d]. */
  async #rows(indices: readonly number[]): Promise<Tensor> {
    const rows = indices.map((index) => {
      const part = this.#partOf(index);
      return part.embedding.slice(0, index - part.begin, index - part.begin + 1).to({ dtype: 'float32' });
    });
    return unit(Tensor.cat(rows, 0));
  }

  async #describe({ index, similarity }: { index: number; similarity: number }): Promise<Neighbour> {
    const part = this.#partOf(index);
    const at = index - part.begin;
    const imageId = Number((await part.imageIds())[at]);
    const coords = await part.patchCoords();
    const patchCoords = Array.from({ length: 4 }, (_, i) => Number(coords[4 * at + i]));
    const file = this.#fileOf(part, imageId);
    return { index, similarity, imageId, patchCoords, ...(file === undefined ? {} : { file }) };
  }

  #fileOf({ images }: Part, imageId: number): string | undefined {
    if (images === undefined) return undefined;
    if (!this.#images.has(images))
      this.#images.set(images, new Map(readImageList(this.folder, images).map((entry) => [entry.img_id, entry])));
    const name = this.#images.get(images)!.get(imageId)?.file;
    return name === undefined ? undefined : path.join(this.#root!, name);
  }

  #partOf(index: number): LoadedPart {
    return this.#parts.find(({ begin, embeddings }) => index < begin + embeddings)!;
  }
}

/** Rows of length 1. */
function unit(rows: Tensor): Tensor {
  using squares = rows.pow(2);
  using sums = squares.sum(1, true);
  using lengths = sums.sqrt();
  return rows.div(lengths);
}

/** Remembers what was read. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= read();
    return result;
  };
}

/** Offers rows to each query's nearest. */
async function offer(nearest: Nearest[], units: Tensor, rows: Tensor, indexOf: (i: number) => number): Promise<void> {
  const n = rows.shape[0];
  using scores = units.matmul(rows.permute(1, 0));
  const values = (await scores.data()) as Float32Array;
  nearest.forEach((one, q) => {
    for (let i = 0; i < n; i++) one.offer(indexOf(i), values[q * n + i]);
  });
}

interface Loaded {
  parts: LoadedPart[];
  root: string | undefined;
  mappings: Mappings;
}

async function load(folder: string): Promise<Loaded> {
  const { index, parts } = partsOf(folder);
  const sizes = parts.map(({ file }) => fs.statSync(path.join(folder, file), { throwIfNoEntry: false })?.size ?? 0);
  const mappings = new Mappings(sizes.reduce((a, b) => a + b, 0));
  try {
    const loaded: LoadedPart[] = [];
    let begin = 0;
    for (const part of parts) {
      const opened = await openPart(folder, part, mappings, loaded[0]?.embedding.shape[1]);
      loaded.push({ ...opened, begin });
      begin += opened.embeddings;
    }
    if (begin === 0) throw new LdmError('ERR_DATA', `The retrieval database ${folder} holds no embeddings.`);
    return { parts: loaded, root: index?.root, mappings };
  } catch (error) {
    mappings.dispose();
    throw error;
  }
}

async function openPart(
  folder: string,
  part: Part,
  mappings: Mappings,
  width: number | undefined,
): Promise<Omit<LoadedPart, 'begin'>> {
  const file = path.join(folder, part.file);
  const { embedding, img_id, patch_coords } = await openNpz(file, ARRAYS);
  const [n, d] = embedding.shape;
  const fits =
    embedding.shape.length === 2 &&
    embedding.dtype.startsWith('<f') &&
    (width === undefined || d === width) &&
    img_id.shape.join() === `${n}` &&
    patch_coords.shape.join() === `${n},4`;
  if (!fits || (part.embeddings >= 0 && part.embeddings !== n))
    throw new LdmError(
      'ERR_DATA',
      `Expected embedding [n, ${width ?? 'd'}], img_id [n] and patch_coords [n, 4] in ${file} but found [${embedding.shape}], [${img_id.shape}] and [${patch_coords.shape}]`,
    );
  return {
    ...part,
    embeddings: n,
    embedding: await tensorOf(file, embedding, mappings),
    imageIds: once(() => img_id.read()),
    patchCoords: once(() => patch_coords.read()),
  };
}

const DTYPES = { '<f2': 'float16', '<f4': 'float32', '<f8': 'float64' } as const;

/** Mapped where the file has the elements as they are. */
async function tensorOf(file: string, array: NpzArray, mappings: Mappings): Promise<Tensor> {
  const dtype = DTYPES[array.dtype as keyof typeof DTYPES];
  const shape = [...array.shape];
  const { byteOffset } = array;
  if (byteOffset === undefined || byteOffset % 8 !== 0) return Tensor.from(await array.read(), shape, { dtype });
  const storage = {
    dtype,
    numel: shape[0] * shape[1],
    location: () => ({ file, byteOffset, bigEndian: false }),
  };
  return new MappedTensor(storage, 0, shape, contiguousStrides(shape), mappings, file).tensor();
}
