/** The examples run as their first lines say, on the small models that come with the project. */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { runNode } from './helpers/child';
import { useTempFolder } from './helpers/temp-folder';

const folder = useTempFolder();

const run = async (name: string, ...args: string[]) => {
  const result = await runNode(['--import', 'tsx', `examples/${name}.ts`, ...args]);
  expect(result).toMatchObject({ code: 0 });
  return result.stdout;
};

test('encode-decode writes the image beside its reconstruction', async () => {
  const out = path.join(folder(), 'pair.png');
  const text = await run('encode-decode', '--out', out);
  expect(text).toMatch(/image 1x3x32x32, latent 1x4x8x8/);
  const { width, height, channels } = await sharp(out).metadata();
  expect({ width, height, channels }).toEqual({ width: 64, height: 32, channels: 3 });
});

test('training-loop learns: reconstructions get better with more steps', async () => {
  const errorAfter = async (steps: number) => {
    const text = await run('training-loop', '--steps', String(steps));
    expect(text.match(/^step .*train\/rec_loss .*train\/disc_loss /gm)).toHaveLength(steps);
    return Number(/reconstructions: (\S+)/.exec(text)?.[1]);
  };
  expect(await errorAfter(12)).toBeLessThan(await errorAfter(1));
});

test('training-loop writes weights', async () => {
  const out = path.join(folder(), 'weights.safetensors');
  await run('training-loop', '--steps', '1', '--out', out);
  expect(fs.statSync(out).size).toBeGreaterThan(1e5);
});

test('sampling-with-abort runs to its end', async () => {
  const out = path.join(folder(), 'sample.png');
  const text = await run('sampling-with-abort', '--steps', '4', '--out', out);
  expect(text).toMatch(/step 4\/4\n.*the sample\n$/);
  expect((await sharp(out).metadata()).width).toBe(32);
});

test('sampling-with-abort stops in the middle and keeps what it has', async () => {
  const out = path.join(folder(), 'sample.png');
  const text = await run('sampling-with-abort', '--steps', '1000', '--abort-after', '500', '--out', out);
  expect(text).toMatch(/stopped\n/);
  expect(text).not.toContain('step 1000/1000');
});
