import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { loadClipImageEmbedder } from '../../lib/models';
import { buildIndex, RetrievalDatabase } from '../../lib/retrieval';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { writeTinyClip } from '../helpers/tiny-clip';

const folder = useTempFolder();
const shared = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-index-'));
let clip: string;

beforeAll(async () => {
  clip = await writeTinyClip(shared);
});
afterAll(() => fs.rmSync(shared, { recursive: true }));

/** A picture of one colour with a corner of another. */
async function picture(name: string, [r, g, b]: readonly number[], { width = 40, height = 32 } = {}): Promise<void> {
  const file = path.join(folder(), 'images', name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const corner = i % width < width / 2 && i < (width * height) / 2;
    [r, g, b].forEach((level, c) => {
      data[3 * i + c] = corner ? 255 - level : level;
    });
  }
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(file);
}
const COLOURS = { 'a.png': [250, 10, 10], 'b/c.png': [10, 250, 10], 'b/d.png': [10, 10, 250], 'e.png': [120, 120, 0] };
const all = async () => {
  for (const [name, colour] of Object.entries(COLOURS)) await picture(name, colour);
};
const out = () => path.join(folder(), 'index');
const build = (more: Partial<Parameters<typeof buildIndex>[0]> = {}) =>
  buildIndex({ images: path.join(folder(), 'images'), out: out(), clip, patchSize: 32, batchSize: 3, ...more });
const listed = () => fs.readdirSync(out()).sort();

test('images become embeddings that are found again', async () => {
  await all();
  expect(await build()).toEqual({ folder: out(), embeddings: 4, added: 4, removed: 0, skipped: [], graph: false });
  expect(listed()).toEqual(['index.json', 'part-000001.json', 'part-000001.npz']);

  using embedder = await loadClipImageEmbedder(clip);
  using database = await RetrievalDatabase.open(out());
  for (const name of Object.keys(COLOURS)) {
    // The middle of the picture, 32 x 32 of 40 x 32.
    const { data } = await sharp(path.join(folder(), 'images', name))
      .extract({ left: 4, top: 0, width: 32, height: 32 })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const pixels = Tensor.from(
      Float32Array.from(data, (level) => level / 127.5 - 1),
      [1, 32, 32, 3],
    );
    const { neighbours } = await database.search(await embedder.encode(pixels.permute(0, 3, 1, 2)), 2);
    expect(neighbours[0][0].file).toBe(path.join(folder(), 'images', name));
    expect(neighbours[0][0].similarity).toBeCloseTo(1, 5);
    expect(neighbours[0][0].patchCoords).toEqual([4, 0, 36, 32]);
  }
});

test('a second run embeds what is new or changed and leaves out what is gone', async () => {
  await all();
  await build();
  await picture('new.png', [1, 2, 3]);
  await picture('a.png', [200, 200, 200], { width: 50 });
  fs.rmSync(path.join(folder(), 'images/b/d.png'));
  expect(await build()).toMatchObject({ embeddings: 4, added: 2, removed: 2 });
  using database = await RetrievalDatabase.open(out());
  const { neighbours } = await database.search(Tensor.zeros([1, 16]).add(1), 4);
  const names = neighbours[0].map(({ file }) => path.relative(path.join(folder(), 'images'), file!)).sort();
  expect(names).toEqual(['a.png', 'b/c.png', 'e.png', 'new.png']);
  // Numbers are never given twice.
  expect(neighbours[0].map(({ imageId }) => imageId).sort()).toEqual([1, 3, 4, 5]);
  expect(await build()).toMatchObject({ embeddings: 4, added: 0, removed: 0 });
});

test('several patches of an image, the same for the same seed', async () => {
  await picture('wide.png', [9, 90, 200], { width: 300, height: 150 });
  expect(await build({ patches: 5, imageSize: 64 })).toMatchObject({ embeddings: 5, added: 1 });
  const places = async () => {
    using database = await RetrievalDatabase.open(out());
    const { neighbours } = await database.search(Tensor.zeros([1, 16]).add(1), 5);
    return neighbours[0].map(({ patchCoords }) => patchCoords);
  };
  const first = await places();
  for (const [left, top, right, bottom] of first) {
    expect([right - left, bottom - top]).toEqual([32, 32]);
    expect(left >= 0 && right <= 128 && top >= 0 && bottom <= 64).toBe(true);
  }
  expect(new Set(first.map(String)).size).toBe(5);
  fs.rmSync(out(), { recursive: true });
  await build({ patches: 5, imageSize: 64 });
  expect(await places()).toEqual(first);
});

test('a graph for many embeddings', async () => {
  await all();
  expect(await build({ graphFrom: 4 })).toMatchObject({ graph: true });
  expect(listed()).toContain('searcher.usearch');
  using database = await RetrievalDatabase.open(out());
  expect(database.approximate).toBe(true);
  expect(await build({ graphFrom: 5 })).toMatchObject({ graph: false });
  expect(listed()).not.toContain('searcher.usearch');
});

test('images that cannot be read are named and left out', async () => {
  await all();
  fs.writeFileSync(path.join(folder(), 'images/bad.jpg'), 'no image');
  const onSkip = jest.fn();
  expect(await build({ onSkip })).toMatchObject({ embeddings: 4, skipped: ['bad.jpg'] });
  expect(onSkip).toHaveBeenCalledWith('bad.jpg', expect.objectContaining({ code: 'ERR_DATA' }));
});

test('an interrupted run keeps what it has, and the next one goes on', async () => {
  await all();
  const controller = new AbortController();
  const running = build({
    batchSize: 1,
    signal: controller.signal,
    onProgress: (_, done) => done === 2 && controller.abort(),
  });
  await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect(await build()).toMatchObject({ embeddings: 4, added: 2 });
});

test('what an ended run left behind goes away', async () => {
  await all();
  await build();
  fs.writeFileSync(path.join(out(), 'part-000007.npz'), 'half');
  await picture('new.png', [1, 2, 3]);
  await build();
  expect(listed()).toEqual([
    'index.json',
    'part-000001.json',
    'part-000001.npz',
    'part-000002.json',
    'part-000002.npz',
  ]);
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'another CLIP model',
    async () => build({ clip: await writeTinyClip(shared, 4) }),
    /was built with clip .*, but now it is/,
  ],
  ['another patch size', () => build({ patchSize: 16 }), /was built with patch_size 32, but now it is 16/],
  [
    'a patch larger than the image',
    () => build({ patchSize: 32, imageSize: 16 }),
    /image size of at least the patch size, 32/,
  ],
  ['no folder', () => build({ images: '/none' }), /There is no folder \/none/],
])('refused: %s', async (_name, again, message) => {
  await all();
  await build();
  await expect(again()).rejects.toThrow(message);
});

test('a folder without images', async () => {
  fs.mkdirSync(path.join(folder(), 'images'));
  await expect(build()).rejects.toThrow(/No image found/);
});
