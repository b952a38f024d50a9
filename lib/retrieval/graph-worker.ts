/** A worker thread that adds a database's embeddings to a graph of neighbours: minutes for a million. */
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { emptyGraph } from './graph';
import { type NpzData, openNpz } from './npz';

/** What the thread is told. */
export interface GraphWork {
  /** Archives, in order. */
  files: string[];
  dimensions: number;
  /** A graph of the first embeddings to go on from. */
  from: { file: string; files: number } | null;
  /** Where the graph goes. */
  out: string;
}

/** Embeddings that are added at a time. */
const ROWS = 1024;

async function build({ files, dimensions, from, out }: GraphWork): Promise<void> {
  const graph = await emptyGraph(dimensions);
  if (from) graph.load(from.file);
  let begin = 0;
  for (const [i, file] of files.entries()) {
    const { embedding } = await openNpz(file, ['embedding']);
    const [n] = embedding.shape;
    if (!from || i >= from.files) {
      const data = floats(await embedding.read());
      for (let at = 0; at < n; at += ROWS) {
        const rows = directed(data, at, Math.min(at + ROWS, n), dimensions);
        if (rows.length > 0)
          graph.add(
            BigUint64Array.from(rows, (row) => BigInt(begin + row)),
            gathered(data, rows, dimensions),
          );
        parentPort!.postMessage({ added: begin + Math.min(at + ROWS, n) });
      }
    }
    begin += n;
  }
  graph.save(path.resolve(out));
}

/** Rows that point anywhere: one of zeros, or with something else than numbers, is near nothing. */
function directed(data: Float32Array, from: number, to: number, dimensions: number): number[] {
  const rows: number[] = [];
  for (let row = from; row < to; row++) {
    let sum = 0;
    for (let i = row * dimensions; i < (row + 1) * dimensions; i++) sum += data[i] * data[i];
    if (sum > 0 && Number.isFinite(sum)) rows.push(row);
  }
  return rows;
}

function gathered(data: Float32Array, rows: readonly number[], dimensions: number): Float32Array {
  const result = new Float32Array(rows.length * dimensions);
  rows.forEach((row, i) => {
    result.set(data.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions);
  });
  return result;
}

function floats(data: NpzData): Float32Array {
  if (data instanceof Uint16Array) return Float32Array.from(data, fromHalf);
  return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
}

/** A 16-bit float by its bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

build(workerData as GraphWork).then(
  () => parentPort!.postMessage({ done: true }),
  (error: Error) => parentPort!.postMessage({ error: error.message }),
);
