import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { writeSafetensors } from '../../lib/checkpoint';
import { InceptionV3 } from '../../lib/evaluation';
import { TestFolder } from '../data/folders';
import { fillDeterministic } from '../golden/runner/weights';
import { temporary, tinyAutoencoder, tinyImages } from '../training/tiny';
import { runLdm } from './run-ldm';

let originals: TestFolder;
let changed: TestFolder;
let folder: string;
beforeAll(async () => {
  originals = await tinyImages();
  folder = temporary();
  changed = new TestFolder();
  // 5 grey levels off everywhere: a PSNR that is known.
  for (let i = 0; i < 8; i++) {
    const pixels = Buffer.from(
      Array.from({ length: 20 * 18 * 3 }, (_, k) => {
        const level = ((k * 31 + i * 97) ^ (k >> 3)) & 0xff;
        return level < 128 ? level + 5 : level - 5;
      }),
    );
    await changed.image(`${i % 2 ? 'odd' : 'even'}/${i}.png`, { width: 20, height: 18 }, pixels);
  }
});
afterAll(() => {
  originals.remove();
  changed.remove();
  fs.rmSync(folder, { recursive: true });
});

async function evaluate(...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await runLdm('evaluate', ...args, '--json');
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
  return { ...JSON.parse(stdout), stderr };
}

test('two folders: PSNR and SSIM of pairs by name, and what is left out', async () => {
  const result = await evaluate(changed.root, originals.root);
  expect(result).toMatchObject({
    images: 8,
    reference: 8,
    leftOut: { fid: expect.stringMatching(/ldm download inception/) },
  });
  expect(result.psnr.mean).toBeCloseTo(10 * Math.log10(255 ** 2 / 25), 10);
  expect(result.psnr.std).toBeCloseTo(0, 10);
  expect(result.ssim.mean).toBeGreaterThan(0.9);
  expect(result.ssim.mean).toBeLessThan(1);
  expect(result.stderr).toMatch(/No FID/);
  const same = await evaluate(originals.root, originals.root, '--size', '16', '--metrics', 'ssim,psnr');
  expect([same.ssim.mean, same.psnr.mean, same.leftOut]).toEqual([1, 'Infinity', {}]);
});

test('FID with the weights of a file, and its statistics kept', async () => {
  const inception = path.join(folder, 'inception.safetensors');
  {
    using network = await InceptionV3.create();
    await fillDeterministic(network, { prefix: '', seed: 1 });
    await writeSafetensors(inception, await network.stateDict());
  }
  // Two images are enough: the network takes most of a second for each.
  const [a, b] = ['a', 'b'].map((name) => path.join(folder, name));
  for (const [to, from] of [
    [a, changed],
    [b, originals],
  ] as const)
    for (const i of [1, 3]) {
      fs.mkdirSync(to, { recursive: true });
      fs.copyFileSync(path.join(from.root, `odd/${i}.png`), path.join(to, `${i}.png`));
    }
  const saved = path.join(folder, 'originals.npz');
  const weights = ['--metrics', 'fid', '--inception', inception];
  const fid = await evaluate(a, b, ...weights, '--save-statistics', saved);
  expect(fid.fid).toBeGreaterThan(1e-7);
  expect(fid.protocol.fid).toMatch(/^torch-fidelity: .*299/);
  expect(fid.warnings[0]).toMatch(/FID of 2 images/);
  expect(fs.statSync(saved).size).toBeGreaterThan(8 * 2048 ** 2);
});

test('a model: its reconstructions, which may be kept', async () => {
  const config = path.join(folder, 'autoencoder.yaml');
  fs.writeFileSync(config, tinyAutoencoder(originals.root).toYaml());
  const trained = await runLdm('train', '-b', config, '-t', '-l', folder, '--max-steps', '1', '--json');
  const { logdir } = JSON.parse(trained.stdout);
  const save = path.join(folder, 'reconstructions');
  const model = await evaluate('-m', logdir, originals.root, '--save', save);
  expect(model).toMatchObject({ images: 8, size: 16, globalStep: 1 });
  // The kept files, compared as folders, give the same numbers.
  const kept = await evaluate(save, originals.root, '--size', '16');
  expect(kept.psnr.mean).toBeCloseTo(model.psnr.mean, 10);
  expect(kept.ssim.mean).toBeCloseTo(model.ssim.mean, 10);
});

test.each([
  [() => ['only-one'], 2, /two folders/],
  [() => [originals.root, path.join(folder, 'none')], 1, /There is no folder/],
  [() => [originals.root, changed.root, '--metrics', 'beauty'], 2, /psnr, ssim, lpips, fid/],
  [() => [originals.root, changed.root, '--metrics', 'fid', '--inception', 'none.pth'], 1, /none\.pth/],
  [() => [originals.root, changed.root, '--metrics', 'lpips', '--vgg', 'none.pth'], 1, /none\.pth/],
  [() => [originals.file('../text/a.txt', 'x').replace(/a\.txt$/, ''), changed.root], 1, /No image found/],
  [() => [originals.root, changed.root, '--save', 'x'], 2, /--save is for --model/],
])('refuses what cannot be compared (%#)', async (args, code, message) => {
  const result = await runLdm('evaluate', ...args());
  expect([result.code, result.stdout, result.stderr]).toEqual([code, '', expect.stringMatching(message)]);
  expect(result.stderr).not.toMatch(/\n\s+at /);
});

test('transparent images are laid on white, as for training', async () => {
  const [a, b] = [new TestFolder(), new TestFolder()];
  const size = { width: 12, height: 12 };
  const create = (background: object) => sharp({ create: { ...size, channels: 4, background: background as never } });
  await create({ r: 200, g: 10, b: 90, alpha: 0 }).png().toFile(a.path('x.png'));
  await create({ r: 255, g: 255, b: 255, alpha: 1 }).png().toFile(b.path('x.png'));
  const { psnr } = await evaluate(a.root, b.root, '--metrics', 'psnr');
  expect(psnr.mean).toBe('Infinity');
  a.remove();
  b.remove();
});
