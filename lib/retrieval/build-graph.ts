/**
 * Builds the graph of neighbours of a retrieval database (reference: scripts/train_searcher.py, which builds a ScaNN searcher).
 * Embeddings that came after the last time are added to the graph that is there.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { writeAtomically } from '../checkpoint/atomic';
import { compiledWorker } from '../compiled-worker';
import { LdmError } from '../errors';
import { checksumOf } from './graph';
import type { GraphWork } from './graph-worker';
import { partsOf, readSearcherFile, SEARCHER, type SearcherFile } from './layout';
import { openNpz } from './npz';

export interface BuildGraphOptions {
  signal?: AbortSignal;
  /** Called with the embeddings in the graph and in the database. */
  onProgress?: (done: number, total: number) => void;
}

const GRAPH = 'searcher.usearch';

/**
 * Builds or extends the graph of the database in `folder`.
 * @returns the number of embeddings
 * @throws LdmError ERR_FILE, ERR_DATA for a folder without a database, ERR_ABORTED
 */
export async function buildGraph(folder: string, options: BuildGraphOptions = {}): Promise<number> {
  const parts = await Promise.all(
    partsOf(folder).parts.map(async ({ file }) => {
      const { embedding } = await openNpz(path.join(folder, file), ['embedding']);
      return { file, embeddings: embedding.shape[0], dimensions: embedding.shape[1] };
    }),
  );
  const total = parts.reduce((sum, { embeddings }) => sum + embeddings, 0);
  const { dimensions } = parts[0];
  const out = path.join(folder, `.${GRAPH}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    const from = await usable(folder, parts);
    if (from?.files === parts.length) return total;
    const files = parts.map(({ file }) => path.join(folder, file));
    await inThread({ files, dimensions, from, out }, (added) => options.onProgress?.(added, total), options.signal);
    await commit(folder, out, {
      version: 1,
      file: GRAPH,
      dimensions,
      parts: parts.map(({ file, embeddings }) => ({ file, embeddings })),
    });
    return total;
  } finally {
    fs.rmSync(out, { force: true });
  }
}

/** Removes the graph of a database. */
export function removeGraph(folder: string): void {
  for (const name of [SEARCHER, GRAPH]) fs.rmSync(path.join(folder, name), { force: true });
}

/** The graph that is there, when its archives are the first ones of the database. */
async function usable(folder: string, parts: SearcherFile['parts']): Promise<GraphWork['from']> {
  let searcher: SearcherFile | undefined;
  try {
    searcher = readSearcherFile(folder);
  } catch {
    return null;
  }
  const begins = searcher?.parts.every((p, i) => parts[i]?.file === p.file && parts[i].embeddings === p.embeddings);
  if (!searcher || !begins) return null;
  const file = path.join(folder, searcher.file);
  const found = await checksumOf(file).catch(() => undefined);
  return found?.bytes === searcher.bytes && found.crc32 === searcher.crc32
    ? { file, files: searcher.parts.length }
    : null;
}

/** The description is written first without its graph: between the two there is none, never a wrong one. */
async function commit(folder: string, graph: string, searcher: Omit<SearcherFile, 'bytes' | 'crc32'>): Promise<void> {
  const checksum = await checksumOf(graph);
  const handle = await fs.promises.open(graph, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  fs.rmSync(path.join(folder, SEARCHER), { force: true });
  fs.renameSync(graph, path.join(folder, searcher.file));
  await writeAtomically(path.join(folder, SEARCHER), async (file) => {
    await file.writeFile(JSON.stringify({ ...searcher, ...checksum }));
  });
}

function inThread(work: GraphWork, onAdded: (added: number) => void, signal?: AbortSignal): Promise<void> {
  const file = compiledWorker('retrieval/graph-worker');
  if (!file) throw new LdmError('ERR_SETUP', 'The worker thread is not compiled: run npm run build');
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new LdmError('ERR_ABORTED', 'The operation was aborted', { cause: signal?.reason }));
    if (signal?.aborted) return aborted();
    const worker = new Worker(file, { workerData: work, execArgv: [] });
    const stop = () => {
      aborted();
      worker.terminate();
    };
    signal?.addEventListener('abort', stop, { once: true });
    worker.on('message', (message: { added?: number; done?: boolean; error?: string }) => {
      if (message.added !== undefined) onAdded(message.added);
      if (message.done) resolve();
      if (message.error !== undefined) reject(new LdmError('ERR_DATA', message.error));
    });
    worker.on('error', reject);
    worker.on('exit', () => {
      signal?.removeEventListener('abort', stop);
      reject(new LdmError('ERR_DATA', 'The worker thread that builds the graph ended too early'));
    });
  });
}
