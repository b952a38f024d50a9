import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { writeSafetensors } from '../../lib/checkpoint';
import { loadConfig } from '../../lib/config';
import { readRgb } from '../../lib/data/decode';
import { instantiateFromConfig } from '../../lib/models';
import { readText } from '../../lib/pictures/read-png-text';
import { fillDeterministic } from '../golden/runner/weights';
import { temporary } from '../training/tiny';
import { runLdm } from './run-ldm';

const folder = temporary();
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Flags for a tiny model of a family. */
async function model(family: string): Promise<string[]> {
  const config = path.join(__dirname, 'pictures', family, 'config.yaml');
  const ckpt = path.join(folder, `${family}.safetensors`);
  if (!fs.existsSync(ckpt)) {
    using filled = await instantiateFromConfig(loadConfig(config).get('model') as never, { init: 'empty' });
    await fillDeterministic(filled, { prefix: '', seed: 7 });
    await writeSafetensors(ckpt, await filled.stateDict());
  }
  return [config, '--ckpt', ckpt];
}

test('two texts and two seeds: frames, a strip, an animation; the ends are the pictures of their seeds', async () => {
  const out = path.join(folder, 'texts');
  const common = [...(await model('text')), '--steps', '2', '--out', out, '--json'];
  const texts = ['--prompt', 'a red fox', 'a blue owl', '--seeds', '3,4'];
  const { code, stdout } = await runLdm('interpolate', ...common, ...texts, '-n', '3', '--format', 'webp');
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result.images).toHaveLength(3);
  expect(result.settings).toMatchObject({ seeds: [3, 4], from: { prompt: 'a red fox', scale: 5 }, frames: 3 });
  const frame = await sharp(result.images[0]).metadata();
  expect((await sharp(result.strip).metadata()).width).toBe(3 * (frame.width! + 2) + 2);
  // There and back again: 0 1 2 1.
  expect(await sharp(result.animation).metadata()).toMatchObject({ pages: 4, width: frame.width, loop: 0 });
  expect(JSON.parse(readText(fs.readFileSync(result.images[1])).settings)).toMatchObject({ position: 0.5 });
  const [first, middle, last] = await Promise.all(result.images.map((file: string) => readRgb(file)));
  expect(Buffer.compare(first.data, last.data)).not.toBe(0);
  expect(Buffer.compare(first.data, middle.data)).not.toBe(0);
  // With the ends exchanged the pictures come in the other order.
  const back = path.join(folder, 'back');
  const other = ['--prompt', 'a blue owl', 'a red fox', '--seeds', '4,3', '--out', back];
  await runLdm('interpolate', ...common, ...other, '-n', '3');
  const reversed = await readRgb(path.join(back, '0002.png'));
  expect(Math.max(...first.data.map((v: number, i: number) => Math.abs(v - reversed.data[i])))).toBeLessThanOrEqual(1);
  expect((await sharp(path.join(back, 'animation.gif')).metadata()).pages).toBe(4);
});

test.each([
  ['text', ['--class', '1'], /has no classes/],
  ['text', ['--prompt', 'a', 'b', 'c'], /one for each end/],
  ['cls', [], /draws classes: choose/],
  ['text', ['--seeds', '3'], /two integers/],
])('refuses for %s %j', async (family, args, message) => {
  const result = await runLdm('interpolate', ...(await model(family)), ...args, '--out', path.join(folder, 'no'));
  expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(message)]);
  expect(fs.existsSync(path.join(folder, 'no'))).toBe(false);
});
