/** The examples run as their first lines say, on the small models that come with the project. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { ROOT, runNode } from './helpers/child';
import { useTempFolder } from './helpers/temp-folder';
import { TestServer } from './serve/client';

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

test('text-to-image tells its steps, draws three pictures, and stops when it is asked to', async () => {
  const out = path.join(folder(), 'pictures.png');
  const text = await run('text-to-image', 'blue heart', '--steps', '2', '--out', out);
  expect(text).toMatch(/^step 1\/2\nstep 2\/2\n.*three pictures of "blue heart"\n$/);
  expect(await sharp(out).metadata()).toMatchObject({ width: 192, height: 64 });
  fs.rmSync(out);
  expect(await run('text-to-image', '--abort-after', '2', '--out', out)).toBe('step 1/25\nstep 2/25\nstopped\n');
  expect(fs.existsSync(out)).toBe(false);
});

test('change-a-picture keeps what the mask does not cover', async () => {
  const out = path.join(folder(), 'changed.png');
  await run('change-a-picture', '--steps', '4', '--out', out);
  const { data, info } = await sharp(out).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([192, 64]);
  const lower = (picture: number) =>
    Array.from({ length: 32 }, (_, y) =>
      data.subarray(((y + 32) * 192 + picture * 64) * 3, ((y + 32) * 192 + (picture + 1) * 64) * 3),
    );
  expect(lower(2)).toEqual(lower(0));
  expect(lower(1)).not.toEqual(lower(0));
});

test('list-tensors', async () => {
  expect(await run('list-tensors')).toMatch(
    /^first_stage_model.quant_conv.weight {2}\[16,16,1,1\] {2}float16 {2}mean -?\d\.\d{4}\n[\s\S]*safetensors, \d+ tensors, \d+ numbers\n$/,
  );
});

test('train-on-a-folder leaves a checkpoint', async () => {
  for (const i of [1, 2, 3, 4])
    await sharp({ create: { width: 40, height: 40, channels: 3, background: { r: 60 * i, g: 9, b: 200 } } })
      .png()
      .toFile(path.join(folder(), `${i}.png`));
  const logs = path.join(folder(), 'logs');
  const text = await run('train-on-a-folder', folder(), '--steps', '2', '--logdir', logs);
  expect(text).toMatch(/step 1: train\/rec_loss \d/);
  const checkpoint = /after 2 steps: (.*)\n$/.exec(text)?.[1];
  expect(fs.statSync(checkpoint!).size).toBeGreaterThan(1e5);
});

test('http-client draws through a server', async () => {
  const server = await TestServer.start({ models: ['models/demo/txt2img'] });
  try {
    const out = path.join(folder(), 'drawn.png');
    const text = await run('http-client', 'blue heart', '--url', `${server.url}v1`, '--out', out);
    expect(text).toMatch(/partial_image\n[\s\S]*image_generation.completed\n.*"blue heart"\n$/);
    expect(await sharp(out).metadata()).toMatchObject({ format: 'png', width: 64 });
  } finally {
    await server.close();
  }
});

test('service answers with pictures, also after a client that went away', async () => {
  const service = spawn(process.execPath, ['--import', 'tsx', 'examples/service.ts', '--port', '0'], { cwd: ROOT });
  try {
    const [line] = await once(service.stdout, 'data');
    const { origin } = new URL(String(line).trim());
    const gone = new AbortController();
    const cancelled = fetch(`${origin}/?prompt=rocket`, { signal: gone.signal }).catch((error) => error.name);
    setTimeout(() => gone.abort(), 300);
    expect(await cancelled).toBe('AbortError');
    const response = await fetch(`${origin}/?prompt=blue+heart`);
    const png = Buffer.from(await response.arrayBuffer());
    expect([response.status, (await sharp(png).metadata()).width]).toEqual([200, 64]);
  } finally {
    service.kill();
    await once(service, 'close');
  }
});
