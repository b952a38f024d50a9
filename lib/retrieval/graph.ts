/**
 * The graph of neighbours of a large database: HNSW (Malkov & Yashunin 2018, https://arxiv.org/abs/1603.09320) of the
 * library usearch, where the reference has ScaNN. It finds candidates; how near they are is computed from the embeddings.
 */
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Index } from 'usearch';
import { LdmError } from '../errors';
import type { SearcherFile } from './layout';

/** An empty graph. Vectors are kept as 16-bit floats; their lengths do not matter. */
export async function emptyGraph(dimensions: number): Promise<Index> {
  // Loaded where it is needed: it brings a native library of its own.
  const { Index, MetricKind, ScalarKind } = await import('usearch');
  return new Index({
    dimensions,
    metric: MetricKind.Cos,
    quantization: ScalarKind.F16,
    connectivity: 16,
    expansion_add: 128,
    expansion_search: 256,
    multi: false,
  });
}

/**
 * Maps a graph of a database's folder. usearch trusts what it reads, so the checksum is verified before.
 * @throws LdmError ERR_DATA when the file is missing or damaged
 */
export async function openGraph(folder: string, searcher: SearcherFile): Promise<Index> {
  const file = path.join(folder, searcher.file);
  const found = await checksumOf(file).catch(() => undefined);
  if (found?.bytes !== searcher.bytes || found.crc32 !== searcher.crc32)
    throw new LdmError('ERR_DATA', `${file} is missing or damaged: build it again with ldm index ${folder}`);
  const graph = await emptyGraph(searcher.dimensions);
  graph.view(file);
  return graph;
}

/** Size and CRC-32 of a file. */
export async function checksumOf(file: string): Promise<{ bytes: number; crc32: number }> {
  let [bytes, crc] = [0, 0];
  for await (const part of fs.createReadStream(file, { highWaterMark: 1 << 20 })) {
    bytes += (part as Buffer).length;
    crc = crc32(part as Buffer, crc);
  }
  return { bytes, crc32: crc };
}
