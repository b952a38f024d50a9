import path from 'node:path';
import sharp from 'sharp';
import { resolveNode } from '../../../lib/config';
import { DataLoader, disposeBatch, openDataset } from '../../../lib/data';
import { TestFolder } from '../folders';
import { tarFile } from '../tar-file';

const folder = new TestFolder();
const SAMPLES = 7;

/** Shard s holds samples whose grey level is 10 s + k. */
async function shard(s: number): Promise<Buffer> {
  const files: Record<string, string | Buffer> = {};
  for (let k = 0; k < SAMPLES; k++) {
    const level = 10 * s + k;
    const background = { r: level, g: level, b: level };
    const png = await sharp({ create: { width: 9, height: 6, channels: 3, background } })
      .png()
      .toBuffer();
    files[`dir/00${s}${k}.png`] = png;
    if (k % 2) files[`dir/00${s}${k}.json`] = JSON.stringify({ caption: `level ${level}`, url: 'x' });
    else files[`dir/00${s}${k}.txt`] = `level ${level}\n`;
    files[`dir/00${s}${k}.cls`] = String(k);
  }
  return tarFile(files);
}

beforeAll(async () => {
  for (let s = 0; s < 4; s++) folder.file(`shard-${s}.tar`, await shard(s));
});
afterAll(() => folder.remove());

const open = (params: object = {}) =>
  openDataset(
    resolveNode({
      target: 'node_ldm.data.TarShards',
      params: { size: 4, shards: folder.path('shard-{0..3}.tar'), ...params },
    }),
  );

async function read(params: object, options: { epoch?: number; position?: number; batchSize?: number } = {}) {
  const { epoch = 0, position = 0, batchSize = 5 } = options;
  const loader = new DataLoader(open(params), { batchSize, seed: 3 });
  const batches: { captions: string[]; labels: number[]; levels: number[]; position: number; last: boolean }[] = [];
  for await (const { batch, position: at, last } of loader.batches(epoch, position)) {
    const pixels = (await batch.image.data()) as Float32Array;
    batches.push({
      captions: batch.caption!,
      labels: Array.from(((await batch.class_label?.data()) ?? []) as BigInt64Array, Number),
      levels: batch.caption!.map((_, i) => Math.round((pixels[i * 48] + 1) * 127.5)),
      position: at,
      last,
    });
    disposeBatch(batch);
  }
  return { batches, skipped: loader.skipped, captions: batches.flatMap((b) => b.captions) };
}

test('reads every sample once with its caption and label, shuffled over the archives, another order in each epoch', async () => {
  const { batches, captions } = await read({ shuffle_buffer: 6 });
  expect(new Set(captions).size).toBe(4 * SAMPLES);
  for (const { captions: texts, levels, labels } of batches) {
    expect(texts).toEqual(levels.map((level) => `level ${level}`));
    expect(labels).toEqual(levels.map((level) => level % 10));
  }
  expect(batches.map(({ last }) => last)).toEqual([false, false, false, false, false, true]);
  // The first sample need not be of the first archives; neighbours in an archive are no neighbours any more.
  expect(captions).not.toEqual([...captions].sort());
  expect((await read({ shuffle_buffer: 6 })).captions).toEqual(captions);
  expect((await read({ shuffle_buffer: 6 }, { epoch: 1 })).captions).not.toEqual(captions);
});

test('goes on from a position with the same batches', async () => {
  const whole = await read({ shuffle_buffer: 6 });
  const rest = await read({ shuffle_buffer: 6 }, { position: whole.batches[2].position });
  expect(rest.batches).toEqual(whole.batches.slice(3));
});

test('without a buffer keeps the order of the archives; a split reads its part of them', async () => {
  const all = await read({ shuffle_buffer: 0 });
  expect(all.captions.slice(0, 3)).toEqual(['level 0', 'level 1', 'level 2']);
  const parts = [await read({ shuffle_buffer: 0, split: [0, 2] }), await read({ shuffle_buffer: 0, split: [1, 2] })];
  expect(parts[1].captions[0]).toBe('level 10');
  expect(parts.flatMap(({ captions }) => captions).sort()).toEqual([...all.captions].sort());
  expect(() => open({ split: [2, 2] })).toThrow(/split/);
});

test('leaves out what is damaged and names it', async () => {
  const good = await shard(0);
  const damaged = Buffer.from(good);
  damaged.fill(0x7f, 512 * 6 + 100, 512 * 6 + 200);
  folder.file('bad/a.tar', damaged);
  folder.file('bad/b.tar', tarFile({ 'x.txt': 'no image', 'y.png': 'no picture', 'y.txt': 'y' }));
  folder.file('bad/c.tar', good.subarray(0, 1100));
  folder.file('bad/d.tar', Buffer.from([0x1f, 0x8b, ...Buffer.alloc(600)]));
  folder.file('bad/e.tar', await shard(1));
  const { captions, skipped } = await read({ shards: folder.path('bad'), shuffle_buffer: 0 });
  expect(captions).toHaveLength(SAMPLES);
  expect(skipped.map((name) => path.relative(folder.path('bad'), name))).toEqual([
    'a.tar',
    'b.tar/x',
    'b.tar/y',
    'c.tar',
    'd.tar',
  ]);
});

test('tells the number of samples where the config knows it', () => {
  expect(open().length).toBe(Number.POSITIVE_INFINITY);
  expect(open({ num_records: 28 }).length).toBe(28);
  expect(new DataLoader(open({ num_records: 28 }), { batchSize: 5 }).length).toBe(6);
});

test('names archives that are missing', () => {
  expect(() => open({ shards: folder.path('shard-{0..9}.tar') })).toThrow(/no archive .*shard-4\.tar/);
  expect(() => open({ shards: folder.path('none-*.tar') })).toThrow(/No archive found/);
  expect(open({ shards: folder.path('shard-*.tar') })).toBeDefined();
});
