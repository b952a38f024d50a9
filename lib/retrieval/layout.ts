/**
 * Where a retrieval database keeps what. The embeddings lie as in the databases of retrieval-augmented diffusion: archives of
 * numpy with `embedding` [n, d], `img_id` [n] and `patch_coords` [n, 4] (left, top, right, bottom in the resized image). Our
 * own folders have besides:
 *
 *     index.json              what the embeddings were made with, and which archives belong to the index
 *     part-000001.json        the files of an archive's images, by img_id
 *     searcher.json           of how many embeddings of which archives the graph was built, and its checksum
 *     searcher.usearch        the graph of neighbours
 */
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { LdmError } from '../errors';

/** The arrays of an archive. */
export const ARRAYS = ['embedding', 'img_id', 'patch_coords'] as const;

/** An archive of embeddings. */
export interface Part {
  /** File name within the folder. */
  file: string;
  embeddings: number;
  /** File name of the images' list; absent in databases that were not built here. */
  images?: string;
}

const part = z.object({ file: z.string(), embeddings: z.number().int().min(0), images: z.string() });

const indexFile = z.object({
  version: z.literal(1),
  /** The folder of the images. */
  root: z.string(),
  dimensions: z.number().int().min(1),
  /** SHA-256 of the CLIP weights. */
  clip: z.string(),
  /** Side of a patch in pixels. */
  patch_size: z.number().int().min(1),
  /** Patches of each image. */
  patches: z.number().int().min(1),
  /** What the shorter side of an image is resized to. */
  image_size: z.number().int().min(1),
  seed: z.number().int().min(0),
  /** The first img_id that is free. */
  next_id: z.number().int().min(0),
  parts: z.array(part),
});
export type IndexFile = z.output<typeof indexFile>;

const imageList = z.array(
  z.object({
    img_id: z.number().int().min(0),
    /** Relative to the root. */
    file: z.string(),
    /** Size and time of change tell whether it is still the same. */
    bytes: z.number(),
    mtime: z.number(),
  }),
);
export type ImageEntry = z.output<typeof imageList>[number];

const searcherFile = z.object({
  version: z.literal(1),
  file: z.string(),
  dimensions: z.number().int().min(1),
  parts: z.array(z.object({ file: z.string(), embeddings: z.number().int().min(0) })),
  bytes: z.number().int().min(1),
  crc32: z.number().int().min(0),
});
export type SearcherFile = z.output<typeof searcherFile>;

export const INDEX = 'index.json';
export const SEARCHER = 'searcher.json';

/** index.json; undefined where there is none. @throws LdmError ERR_DATA when it is damaged */
export const readIndexFile = (folder: string): IndexFile | undefined => readJson(folder, INDEX, indexFile);
/** searcher.json; undefined where there is none. @throws LdmError ERR_DATA when it is damaged */
export const readSearcherFile = (folder: string): SearcherFile | undefined => readJson(folder, SEARCHER, searcherFile);

/** The images of a part. @throws LdmError ERR_DATA when the list is missing or damaged */
export function readImageList(folder: string, file: string): ImageEntry[] {
  const list = readJson(folder, file, imageList);
  if (list) return list;
  throw new LdmError('ERR_DATA', `${path.join(folder, file)} is missing: the index is damaged; build it anew.`);
}

function readJson<Schema extends z.ZodType>(
  folder: string,
  name: string,
  schema: Schema,
): z.output<Schema> | undefined {
  const file = path.join(folder, name);
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LdmError('ERR_FILE', `Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new LdmError('ERR_DATA', `${file} is damaged: remove the folder and build the index anew.`, { cause: error });
  }
}

/**
 * The archives of a database, in order.
 * @throws LdmError ERR_FILE when there is no such folder, ERR_DATA when it holds no database
 */
export function partsOf(folder: string): { index: IndexFile | undefined; parts: Part[] } {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read the retrieval database ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const index = readIndexFile(folder);
  if (index) return { index, parts: index.parts };
  const archives = names.filter((name) => name.endsWith('.npz')).sort();
  if (archives.length === 0)
    throw new LdmError(
      'ERR_DATA',
      `${folder} is no retrieval database: there is neither ${INDEX} nor an archive of embeddings (.npz). Build one with ldm index.`,
    );
  return { index, parts: archives.map((file) => ({ file, embeddings: -1 })) };
}
