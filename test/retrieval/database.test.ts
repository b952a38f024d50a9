import fs from 'node:fs';
import path from 'node:path';
import { writeAtomically } from '../../lib/checkpoint/atomic';
import { npyOf } from '../../lib/npy';
import { Generator } from '../../lib/random';
import { buildGraph, RetrievalDatabase } from '../../lib/retrieval';
import { writeNpz } from '../../lib/retrieval/npz';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { zipOf } from '../helpers/zip';

const folder = useTempFolder();

const D = 6;
/** Directions, of different lengths. */
async function vectors(n: number, seed: number): Promise<Float32Array> {
  using random = new Generator(seed);
  const data = (await Tensor.randn([n, D], { random }).data()) as Float32Array;
  return data.map((v, i) => v * (1 + (Math.floor(i / D) % 5)));
}

/** Cosines by plain arithmetic, from the largest on. */
function ranking(data: Float32Array, query: readonly number[]): { index: number; similarity: number }[] {
  const length = (v: ArrayLike<number>) => Math.sqrt(Array.from(v).reduce((a, x) => a + x * x, 0));
  const rows = Array.from({ length: data.length / D }, (_, i) => data.subarray(i * D, (i + 1) * D));
  return rows
    .map((row, index) => {
      const dot = row.reduce((sum, x, i) => sum + x * query[i], 0);
      return { index, similarity: dot / length(row) / length(query) };
    })
    .filter(({ similarity }) => !Number.isNaN(similarity))
    .sort((a, b) => b.similarity - a.similarity);
}

const ids = (n: number, from = 0) => BigInt64Array.from({ length: n }, (_, i) => BigInt(100 + from + i));
const coords = (n: number) => BigInt64Array.from({ length: 4 * n }, (_, i) => BigInt(i));

async function writePart(name: string, data: Float32Array, from = 0): Promise<void> {
  const n = data.length / D;
  await writeAtomically(path.join(folder(), name), (handle) =>
    writeNpz(handle, {
      embedding: { data, shape: [n, D] },
      img_id: { data: ids(n, from), shape: [n] },
      patch_coords: { data: coords(n), shape: [n, 4] },
    }),
  );
}

const QUERIES = [
  [1, -2, 0.5, 0, 3, 1],
  [0, 0.1, 0.1, -1, 0, 0.3],
];

test('the nearest embeddings, by their angle, over several archives', async () => {
  const data = await vectors(90, 1);
  await writePart('a.npz', data.slice(0, 50 * D));
  await writePart('b.npz', data.slice(50 * D), 50);
  using database = await RetrievalDatabase.open(folder());
  expect([database.length, database.dimensions, database.approximate]).toEqual([90, D, false]);
  const { embeddings, neighbours } = await database.search(Tensor.from(QUERIES), 4);
  expect(embeddings.shape).toEqual([2, 4, D]);
  const found = (await embeddings.data()) as Float32Array;
  for (const [q, query] of QUERIES.entries()) {
    const best = ranking(data, query).slice(0, 4);
    expect(neighbours[q].map(({ index }) => index)).toEqual(best.map(({ index }) => index));
    for (const [i, { index, similarity }] of best.entries()) {
      expect(neighbours[q][i].similarity).toBeCloseTo(similarity, 5);
      expect(neighbours[q][i].imageId).toBe(100 + index);
      const at = index < 50 ? index : index - 50;
      expect(neighbours[q][i].patchCoords).toEqual([4 * at, 4 * at + 1, 4 * at + 2, 4 * at + 3]);
      const row = data.subarray(index * D, (index + 1) * D);
      const length = Math.sqrt(row.reduce((a, x) => a + x * x, 0));
      const own = found.subarray((q * 4 + i) * D, (q * 4 + i + 1) * D);
      own.forEach((v, j) => {
        expect(v).toBeCloseTo(row[j] / length, 5);
      });
    }
  }
});

test('compressed archives of 16-bit floats, as numpy.savez_compressed writes them', async () => {
  const data = await vectors(20, 2);
  using halves = Tensor.from(data, [20, D]).to({ dtype: 'float16' });
  const bits = (await halves.data()) as Uint16Array;
  const header = npyOf(new Float32Array(0), [20, D]).toString('latin1').replace("'<f4'", "'<f2'");
  const embedding = Buffer.concat([Buffer.from(header, 'latin1'), Buffer.from(bits.buffer)]);
  fs.writeFileSync(
    path.join(folder(), '20x6-part_1.npz'),
    zipOf({
      'embedding.npy': { deflate: embedding },
      'img_id.npy': { deflate: npyOf(ids(20), [20]) },
      'patch_coords.npy': { deflate: npyOf(coords(20), [20, 4]) },
    }),
  );
  using database = await RetrievalDatabase.open(folder());
  const { neighbours } = await database.search(Tensor.from([QUERIES[0]]), 3);
  const best = ranking(data, QUERIES[0]).slice(0, 3);
  expect(neighbours[0].map(({ index }) => index)).toEqual(best.map(({ index }) => index));
});

test('an embedding of zeros is near nothing', async () => {
  const data = await vectors(5, 3);
  data.fill(0, 0, D);
  await writePart('a.npz', data);
  using database = await RetrievalDatabase.open(folder());
  const { neighbours } = await database.search(Tensor.from([QUERIES[0]]), 4);
  expect(neighbours[0].map(({ index }) => index).sort()).toEqual([1, 2, 3, 4]);
  await expect(database.search(Tensor.from([QUERIES[0]]), 5)).rejects.toThrow('fewer than 5 embeddings');
});

describe('with a graph', () => {
  test('finds what the exact search finds, and grows with the database', async () => {
    const data = await vectors(3000, 4);
    data.fill(0, 7 * D, 8 * D);
    await writePart('a.npz', data.slice(0, 2000 * D));
    const seen: number[] = [];
    expect(await buildGraph(folder(), { onProgress: (done) => seen.push(done) })).toBe(2000);
    expect(seen.at(-1)).toBe(2000);
    await writePart('b.npz', data.slice(2000 * D), 2000);
    using old = await RetrievalDatabase.open(folder());
    expect([old.approximate, old.warning]).toEqual([false, expect.stringContaining('older than its embeddings')]);

    const before = seen.length;
    await buildGraph(folder(), { onProgress: (done) => seen.push(done) });
    // Only the new ones were added.
    expect(seen[before]).toBeGreaterThan(2000);
    using database = await RetrievalDatabase.open(folder());
    expect([database.approximate, database.warning, database.length]).toEqual([true, null, 3000]);
    // A graph is built by several threads at once and finds most neighbours, not always the same ones: its promise is the
    // share that it finds, over many queries.
    const queries = await vectors(60, 5);
    const { neighbours } = await database.search(Tensor.from(queries, [60, D]), 10);
    let found = 0;
    for (const [q, list] of neighbours.entries()) {
      const exact = ranking(data, Array.from(queries.subarray(q * D, (q + 1) * D)));
      const best = new Set(exact.slice(0, 10).map(({ index }) => index));
      found += list.filter(({ index }) => best.has(index)).length;
      // How near one is comes from the embeddings, so it is exact whatever the graph found; and the list is sorted.
      for (const { index, similarity } of list)
        expect(similarity).toBeCloseTo(exact.find((row) => row.index === index)!.similarity, 5);
      expect(list.map(({ similarity }) => -similarity)).toEqual(
        list.map(({ similarity }) => -similarity).sort((a, b) => a - b),
      );
    }
    expect(found / 600).toBeGreaterThan(0.98);
  });

  test('a damaged one is refused, never read', async () => {
    await writePart('a.npz', await vectors(50, 5));
    await buildGraph(folder());
    const file = path.join(folder(), 'searcher.usearch');
    const bytes = fs.readFileSync(file);
    bytes[bytes.length >> 1] ^= 1;
    fs.writeFileSync(file, bytes);
    await expect(RetrievalDatabase.open(folder())).rejects.toThrow(/searcher\.usearch is missing or damaged/);
    await buildGraph(folder());
    (await RetrievalDatabase.open(folder())).dispose();
  });

  test('an interrupted building leaves nothing', async () => {
    await writePart('a.npz', await vectors(3000, 6));
    const controller = new AbortController();
    const building = buildGraph(folder(), { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(building).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(fs.readdirSync(folder())).toEqual(['a.npz']);
  });
});

describe('errors', () => {
  test('no folder, no database', async () => {
    await expect(RetrievalDatabase.open(path.join(folder(), 'none'))).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(RetrievalDatabase.open(folder())).rejects.toThrow(/is no retrieval database/);
  });

  test('queries of another model, too many neighbours', async () => {
    await writePart('a.npz', await vectors(5, 7));
    using database = await RetrievalDatabase.open(folder());
    await expect(database.search(Tensor.zeros([1, 8]), 1)).rejects.toThrow(
      /Expected queries \[n, 6\].*received \[1,8\]/,
    );
    await expect(database.search(Tensor.zeros([1, D]), 6)).rejects.toThrow('Expected 1 to 5 neighbours');
  });

  test.each<[string, () => Buffer, RegExp]>([
    ['no archive', () => Buffer.from('something else'), /a\.npz/],
    [
      'a missing array',
      () => zipOf({ 'embedding.npy': npyOf(new Float32Array(D), [1, D]) }),
      /Expected an array 'img_id'/,
    ],
    [
      'integers for embeddings',
      () =>
        zipOf({
          'embedding.npy': npyOf(ids(2), [1, 2]),
          'img_id.npy': npyOf(ids(1), [1]),
          'patch_coords.npy': npyOf(coords(1), [1, 4]),
        }),
      /Expected embedding \[n, d\]/,
    ],
    [
      'lists of different lengths',
      () =>
        zipOf({
          'embedding.npy': npyOf(new Float32Array(D), [1, D]),
          'img_id.npy': npyOf(ids(2), [2]),
          'patch_coords.npy': npyOf(coords(1), [1, 4]),
        }),
      /img_id \[n\].*but found \[1,6\], \[2\]/,
    ],
    [
      'a header that promises more',
      () =>
        zipOf({
          'embedding.npy': npyOf(new Float32Array(D), [9, D]),
          'img_id.npy': npyOf(ids(1), [1]),
          'patch_coords.npy': npyOf(coords(1), [1, 4]),
        }),
      /24 bytes for \[9, 6\]/,
    ],
  ])('%s', async (_name, content, message) => {
    fs.writeFileSync(path.join(folder(), 'a.npz'), content());
    await expect(RetrievalDatabase.open(folder())).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(message),
    });
  });
});
