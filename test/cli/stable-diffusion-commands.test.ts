/** `ldm txt2img` and `ldm img2img` with a tiny Stable Diffusion: the original scripts' pictures, from the command line. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeSafetensors } from '../../lib/checkpoint';
import { loadConfig } from '../../lib/config';
import { readRgb } from '../../lib/data/decode';
import { instantiateFromConfig } from '../../lib/models';
import { GoldenFile } from '../golden/runner/golden-file';
import { fillDeterministic } from '../golden/runner/weights';
import { runLdm } from './run-ldm';

const CASES = path.join(__dirname, '../golden/cases');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-test-'));
const config = path.join(CASES, 'sd1_txt2img/config.yaml');
const ckpt = path.join(folder, 'tiny.safetensors');
const texts = path.join(folder, 'texts.txt');

beforeAll(async () => {
  using model = await instantiateFromConfig(loadConfig(config).get('model') as never, { init: 'empty' });
  await fillDeterministic(model, { prefix: '', seed: 7 });
  await writeSafetensors(ckpt, await model.stateDict());
  fs.writeFileSync(texts, 'a red fox\nTwo  APPLES\n');
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Levels of a tensor of a golden case. */
async function golden(name: string, tensor: string): Promise<Uint8Array> {
  const file = new GoldenFile(path.join(CASES, name, 'golden.safetensors'));
  try {
    return Uint8Array.from((await file.tensors.get(tensor)!.tensor().data()) as Uint8Array);
  } finally {
    file.dispose();
  }
}

/** Equal to one grey level, but for a few values. */
async function expectPictures(files: readonly string[], expected: Uint8Array): Promise<void> {
  const levels = (await Promise.all(files.map((file) => readRgb(file)))).flatMap(({ data }) => [...data]);
  expect(levels).toHaveLength(expected.length);
  const differences = levels.map((level, i) => Math.abs(level - expected[i]));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  expect(differences.filter((d) => d > 0).length).toBeLessThan(levels.length * 0.02);
}

const common = (outdir: string) => [
  '--config',
  config,
  '--ckpt',
  ckpt,
  '--from-file',
  texts,
  '--outdir',
  outdir,
  '--json',
];

test('txt2img draws what the original script draws with the same seed', async () => {
  const outdir = path.join(folder, 'txt2img');
  const options = [
    '--n_samples',
    '2',
    '--n_iter',
    '1',
    '--H',
    '32',
    '--W',
    '32',
    '--ddim_steps',
    '4',
    '--ddim_eta',
    '0.3',
  ];
  const { code, stdout } = await runLdm('txt2img', ...common(outdir), ...options);
  expect(code).toBe(0);
  const { images, grid, settings } = JSON.parse(stdout);
  expect(images).toEqual(['00000.png', '00001.png'].map((name) => path.join(outdir, 'samples', name)));
  expect(grid).toBe(path.join(outdir, 'grid-0000.png'));
  expect(settings).toMatchObject({ scale: 7.5, seed: 42, sampler: 'ddim', steps: 4 });
  await expectPictures(images, await golden('sd1_txt2img', 'out.ddim.images'));
});

test('img2img changes a picture as the original script does, and makes it fit first', async () => {
  const outdir = path.join(folder, 'img2img');
  const init = path.join(folder, 'init.png');
  await sharp(await golden('sd1_img2img', 'in.init'), { raw: { width: 50, height: 35, channels: 3 } }).toFile(init);
  const options = ['--init-img', init, '--strength', '0.6', '--ddim_steps', '5'];
  const { code, stdout, stderr } = await runLdm('img2img', ...common(outdir), ...options);
  expect(code).toBe(0);
  expect(stderr).toContain('3 of 5 steps, 32 x 32 pixels');
  const { images, settings } = JSON.parse(stdout);
  expect(settings).toMatchObject({ scale: 5, strength: 0.6, init });
  await expectPictures(images, await golden('sd1_img2img', 'out.images'));
});

test('strength 0 keeps the picture, strength 1 works, a picture that is too small is an error', async () => {
  const init = path.join(folder, 'small.png');
  await sharp({ create: { width: 40, height: 31, channels: 3, background: 'red' } }).toFile(init);
  const run = (...options: string[]) =>
    runLdm('img2img', ...common(path.join(folder, 'more')), '--init-img', init, '--ddim_steps', '2', ...options);
  expect((await run()).stderr).toContain('at least 32 x 32 pixels');
  await sharp({ create: { width: 40, height: 33, channels: 3, background: 'red' } }).toFile(init);
  for (const strength of ['0', '1']) expect((await run('--strength', strength)).code).toBe(0);
});

test('fp16 on the CPU is refused with what to use instead', async () => {
  const { code, stderr } = await runLdm('txt2img', ...common(path.join(folder, 'half')), '--precision', 'fp16');
  expect(code).toBe(2);
  expect(stderr).toMatch(/fp16 is for CUDA.*bf16/);
});
