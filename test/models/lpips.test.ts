import path from 'node:path';
import { readCheckpoint, writeTorchFile } from '../../lib/checkpoint';
import { noGrad } from '../../lib/job';
import { lpipsHeadsFile } from '../../lib/lpips-files';
import { LPIPS } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { difference, images } from '../helpers/tiny-autoencoder';
import { randomVgg } from '../helpers/vgg';

const folder = useTempFolder();

async function loaded(): Promise<LPIPS> {
  const lpips = await LPIPS.create();
  const file = path.join(folder(), 'vgg.pth');
  await writeTorchFile(file, randomVgg());
  await lpips.loadVgg(file);
  await lpips.eval();
  return lpips;
}

test('the heads come with the package', async () => {
  using lpips = await LPIPS.create();
  using file = await readCheckpoint(lpipsHeadsFile().path);
  const state = await lpips.stateDict();
  for (let i = 0; i < 5; i++) {
    const key = `lin${i}.model.1.weight`;
    expect(await difference(state.get(key)!, file.stateDict.get(key)!)).toBe(0);
  }
});

test('is zero for equal images, positive and symmetric for others, one number for each', async () => {
  using lpips = await loaded();
  const [x, y] = [images([2, 3, 32, 40], 1), images([2, 3, 32, 40], 2)];
  const value = await noGrad(() => lpips.forward(x, y));
  expect(value.shape).toEqual([2, 1, 1, 1]);
  expect(await value.min().item()).toBeGreaterThan(0);
  expect(await difference(value, await noGrad(() => lpips.forward(y, x)))).toBeLessThan(1e-6);
  expect(await (await noGrad(() => lpips.forward(x, x))).abs().max().item()).toBe(0);
});

test('dropout is active in training mode', async () => {
  using lpips = await loaded();
  const [x, y] = [images([1, 3, 32, 32], 1), images([1, 3, 32, 32], 2)];
  const value = async (seed: number) =>
    (await noGrad(() => lpips.forward(x, y, { random: new Generator(seed) }))).item();
  expect(await value(1)).toBe(await value(2));
  await lpips.train();
  expect(await value(1)).not.toBe(await value(2));
  expect(await value(1)).toBe(await value(1));
});

test('gradients reach the image, the weights ask for none', async () => {
  using lpips = await loaded();
  const y = images([1, 3, 32, 32], 2).detach().clone().requiresGrad_(true);
  await (await lpips.forward(images([1, 3, 32, 32], 1), y)).sum().backward();
  expect(await (await y.grad())!.abs().max().item()).toBeGreaterThan(0);
  const requiring = [...(await lpips.stateDict())].filter(([, t]) => t.requiresGrad);
  expect(requiring).toEqual([]);
});

test('features are the activations after the last ReLU before each pooling', async () => {
  using lpips = await loaded();
  const features = await noGrad(() => lpips.features(images([1, 3, 33, 48])));
  expect(features.map((f) => f.shape)).toEqual([
    [1, 64, 33, 48],
    [1, 128, 16, 24],
    [1, 256, 8, 12],
    [1, 512, 4, 6],
    [1, 512, 2, 3],
  ]);
  for (const feature of features) expect(await feature.min().item()).toBeGreaterThanOrEqual(0);
});

test('a file without the convolutions is refused by name', async () => {
  using lpips = await LPIPS.create();
  const file = path.join(folder(), 'other.pth');
  await writeTorchFile(file, { 'features.0.weight': Tensor.zeros([64, 3, 3, 3]) });
  await expect(lpips.loadVgg(file)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: expect.stringContaining('VGG16'),
  });
});
