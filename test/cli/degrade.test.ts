import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { DEGRADATIONS } from '../../lib/data/degradation';
import { DataRandom } from '../../lib/data/random';
import { distance, picture } from '../data/degradation/expected';
import { runLdm } from './run-ldm';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-degrade-'));
const image = path.join(folder, 'waves.png');
const out = path.join(folder, 'out');

beforeAll(async () => {
  const { data, width, height } = picture(48, 32);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(image);
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test('writes what the degradation gives, and a contact sheet', async () => {
  const { code, stdout } = await runLdm(
    'degrade',
    image,
    image,
    '--kind',
    'bsrgan',
    '-n',
    '2',
    '--seed',
    '5',
    '-o',
    out,
    '--json',
  );
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result.images.map((file: string) => path.basename(file))).toEqual([
    'waves_lr0.png',
    'waves_lr1.png',
    'waves-2_lr0.png',
    'waves-2_lr1.png',
  ]);
  const { data, info } = await sharp(result.images[3]).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([12, 8, 3]);
  const wanted = await DEGRADATIONS.bsrgan(picture(48, 32), 4, new DataRandom(5, 1, 1));
  expect(distance(data, wanted.data)).toBe(0);
  const sheet = await sharp(result.sheet).metadata();
  expect(sheet.width).toBeGreaterThan(3 * 224);
});

test('names a file that is no image', async () => {
  const { code, stderr } = await runLdm('degrade', __filename, '-o', out);
  expect(code).toBe(1);
  expect(stderr).toContain(`Cannot read the image ${__filename}`);
});
