import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { TestFolder } from '../data/folders';
import { runLdm } from './run-ldm';

let images: TestFolder;
beforeAll(async () => {
  images = new TestFolder();
  for (const [i, colour] of ['red', 'lime', 'blue', 'white', 'black'].entries())
    await images.image(`some/${i}.png`, { width: 40 + 10 * i, height: 40 }, colour);
});
afterAll(() => images.remove());

const grid = async (...args: string[]) => {
  const out = images.path('out/grid.png');
  const { code, stdout, stderr } = await runLdm(
    'grid',
    path.join(images.root, 'some'),
    '--out',
    out,
    '--json',
    ...args,
  );
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
  const { data, info } = await sharp(out).raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
  return { ...JSON.parse(stdout), info, at };
};

test('images stand in rows, whole, with space between them', async () => {
  const { info, at, images: files } = await grid('--columns', '3', '--cell', '30', '--padding', '4');
  expect([info.width, info.height]).toEqual([4 + 3 * 34, 4 + 2 * 34]);
  expect(files.map((file: string) => path.basename(file))).toEqual(['0.png', '1.png', '2.png', '3.png', '4.png']);
  expect([at(19, 19), at(53, 19), at(87, 19)]).toEqual([
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ]);
  expect(at(1, 1)).toEqual([255, 255, 255]);
  // 60 x 40 in a cell of 30 x 30: white above and below.
  expect(at(87, 5)).toEqual([255, 255, 255]);
  expect((await grid('--columns', '3', '--cell', '30', '--padding', '4', '--crop')).at(87, 5)).toEqual([0, 0, 255]);
});

test('a limit takes some of all, captions add a line', async () => {
  const { images: files, found, info } = await grid('-n', '2', '--captions', '--cell', '20', '--padding', '0');
  expect([files.map((file: string) => path.basename(file)), found]).toEqual([['0.png', '2.png'], 5]);
  expect([info.width, info.height]).toEqual([40, 36]);
});

test('refuses what is no image', async () => {
  const bad = images.file('bad/x.png', 'no picture');
  expect((await runLdm('grid', bad)).stderr).toMatch(/Cannot read the image .*x\.png/);
  expect((await runLdm('grid', path.join(images.root, 'none'))).stderr).toMatch(/There is no folder/);
  expect((await runLdm('grid', bad, '--out', 'x.jpg')).code).toBe(2);
  fs.rmSync(bad);
});
