import { DiagonalGaussianDistribution, normalKl } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { difference, numbers } from '../helpers/tiny-autoencoder';

const MEAN = [0.5, -1, 2, 0];
const LOGVAR = [0.3, -0.7, 1.1, 0];

/** One image with one latent channel of 2x2. */
const gaussian = (mean: number[], logvar: number[], deterministic = false) =>
  DiagonalGaussianDistribution.create(Tensor.from([...mean, ...logvar]).reshape(1, 2, 2, 2), { deterministic });

test('kl from a standard normal is the closed formula', async () => {
  const wanted = MEAN.reduce((sum, m, i) => sum + 0.5 * (m * m + Math.exp(LOGVAR[i]) - 1 - LOGVAR[i]), 0);
  const kl = await (await gaussian(MEAN, LOGVAR)).kl();
  expect(kl.shape).toEqual([1]);
  expect(await kl.item()).toBeCloseTo(wanted, 5);
});

test('kl from another Gaussian is the closed formula, and zero from itself', async () => {
  const [m2, l2] = [
    [0, 1, -1, 0.5],
    [0.2, 0.1, -0.4, 1],
  ];
  const p = await gaussian(MEAN, LOGVAR);
  const q = await gaussian(m2, l2);
  const wanted = MEAN.reduce((sum, m, i) => {
    const v = Math.exp(l2[i]);
    return sum + 0.5 * ((m - m2[i]) ** 2 / v + Math.exp(LOGVAR[i]) / v - 1 - LOGVAR[i] + l2[i]);
  }, 0);
  expect(await (await p.kl(q)).item()).toBeCloseTo(wanted, 5);
  expect(await (await p.kl(p)).item()).toBeCloseTo(0, 6);
});

test('nll sums over the given dimensions', async () => {
  const p = await gaussian(MEAN, LOGVAR);
  const x = [1, 0, -1, 0.25];
  const each = x.map((v, i) => 0.5 * (Math.log(2 * Math.PI) + LOGVAR[i] + (v - MEAN[i]) ** 2 / Math.exp(LOGVAR[i])));
  const sample = Tensor.from(x).reshape(1, 1, 2, 2);
  expect(await (await p.nll(sample)).item()).toBeCloseTo(
    each.reduce((a, b) => a + b),
    4,
  );
  const rows = await p.nll(sample, [3]);
  expect(rows.shape).toEqual([1, 1, 2]);
  expect((await numbers(rows))[1]).toBeCloseTo(each[2] + each[3], 4);
});

test('a sample is mean + std * noise of the given generator', async () => {
  const p = await gaussian(MEAN, LOGVAR);
  const { mean, std } = await p.fields();
  const noise = Tensor.randn([1, 1, 2, 2], { seed: 11 });
  expect(await difference(await p.sample({ random: new Generator(11) }), mean.add(std.mul(noise)))).toBe(0);
  expect(await difference(await p.mode(), mean)).toBe(0);
});

test('the logarithm of the variance is clamped to [-30, 20]', async () => {
  const { logvar } = await (await gaussian([0, 0, 0, 0], [-45, 35, -30, 20])).fields();
  expect(await numbers(logvar)).toEqual([-30, 20, -30, 20]);
});

test('a deterministic one has no variance', async () => {
  const p = await gaussian(MEAN, LOGVAR, true);
  expect(await difference(await p.sample(), await p.mode())).toBe(0);
  expect(await numbers(await p.kl())).toEqual([0]);
  expect(await numbers(await p.nll(Tensor.zeros([1, 1, 2, 2])))).toEqual([0]);
});

test('gradients reach the parameters', async () => {
  const parameters = Tensor.from([2, Math.log(3)])
    .reshape(1, 2, 1, 1)
    .detach()
    .requiresGrad_(true);
  const p = await DiagonalGaussianDistribution.create(parameters);
  await (await p.kl()).sum().backward();
  // of 0.5 * (mean^2 + exp(logvar) - 1 - logvar): mean and (variance - 1) / 2
  const [mean, logvar] = await numbers((await parameters.grad())!);
  expect(mean).toBeCloseTo(2, 5);
  expect(logvar).toBeCloseTo(1, 5);
});

test('normalKl agrees with kl and broadcasts', async () => {
  const p = await gaussian(MEAN, LOGVAR);
  const { mean, logvar } = await p.fields();
  const zero = Tensor.zeros([]);
  const each = await normalKl(mean, logvar, zero, zero);
  expect(await each.sum().item()).toBeCloseTo(await (await p.kl()).item(), 5);
});

test.each([[[1, 3, 2, 2]], [[4, 2]]])('parameters of shape %p are refused', async (shape) => {
  await expect(DiagonalGaussianDistribution.create(Tensor.zeros(shape))).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('2 * channels'),
  });
});
