import { noGrad } from '../../lib/job';
import { NLayerDiscriminator } from '../../lib/models';
import { Generator } from '../../lib/random';
import type { Tensor } from '../../lib/tensor';
import { difference, images, numbers } from '../helpers/tiny-autoencoder';

const small = (params = {}) =>
  NLayerDiscriminator.create({ ndf: 8, n_layers: 2, ...params }, { random: new Generator(1) });
const state = async (d: NLayerDiscriminator, name: string): Promise<Tensor> => (await d.stateDict()).get(name)!;

test.each([
  [0, 14],
  [1, 14],
  [2, 6],
  [3, 2],
])('with %i layers a 32x32 image has %i logits a side', async (n_layers, size) => {
  using d = await small({ n_layers });
  expect((await noGrad(() => d.forward(images([2, 3, 32, 32])))).shape).toEqual([2, 1, size, size]);
});

test('BatchNorm keeps running statistics in training mode only', async () => {
  using d = await small();
  const x = images([2, 3, 32, 32]);
  await d.eval();
  await noGrad(() => d.forward(x));
  expect(await (await state(d, 'main.3.num_batches_tracked')).item()).toBe(0);
  await d.train();
  await noGrad(() => d.forward(x));
  expect(await (await state(d, 'main.3.num_batches_tracked')).item()).toBe(1);
  expect(await (await state(d, 'main.3.running_mean')).abs().max().item()).toBeGreaterThan(0);
});

test('the first training batch sets ActNorm, later ones do not', async () => {
  using d = await small({ use_actnorm: true });
  const x = images([4, 3, 32, 32]);
  await d.eval();
  await noGrad(() => d.forward(x));
  expect(await (await state(d, 'main.3.initialized')).item()).toBe(0);
  await d.train();
  await noGrad(() => d.forward(x));
  expect(await (await state(d, 'main.3.initialized')).item()).toBe(1);
  const loc = (await state(d, 'main.3.loc')).detach().clone();
  expect(await loc.abs().max().item()).toBeGreaterThan(0);
  await noGrad(() => d.forward(x.mul(0.1)));
  expect(await difference(loc, await state(d, 'main.3.loc'))).toBe(0);
});

test('ActNorm’s convolutions have a bias, BatchNorm’s have none', async () => {
  using batchNorm = await small();
  using actNorm = await small({ use_actnorm: true });
  expect((await batchNorm.stateDict()).has('main.2.bias')).toBe(false);
  expect((await actNorm.stateDict()).has('main.2.bias')).toBe(true);
});

test('weightsInit draws convolutions from normal(0, 0.02) and BatchNorm’s weights from normal(1, 0.02)', async () => {
  using d = await NLayerDiscriminator.create({ n_layers: 3 });
  await d.weightsInit({ random: new Generator(2) });
  const conv = await state(d, 'main.8.weight');
  expect(await conv.mean().item()).toBeCloseTo(0, 4);
  expect(await conv.std().item()).toBeCloseTo(0.02, 4);
  const norm = await state(d, 'main.9.weight');
  expect(await norm.mean().item()).toBeCloseTo(1, 2);
  expect(await norm.std().item()).toBeCloseTo(0.02, 2);
  expect(new Set(await numbers(await state(d, 'main.9.bias')))).toEqual(new Set([0]));
});
