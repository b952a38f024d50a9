import { noGrad } from '../../lib/job';
import { DiagonalGaussianDistribution, LPIPSWithDiscriminator } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { ganLoss, images, numbers } from '../helpers/tiny-autoencoder';

const SHAPE = [2, 3, 16, 16];
const COUNT = 3 * 16 * 16;
const x = images(SHAPE, 1);
const y = images(SHAPE, 2);

const criterion = (params: Record<string, unknown> = {}) =>
  LPIPSWithDiscriminator.create(ganLoss(params).params as never, { random: new Generator(1) });
const posterior = () => DiagonalGaussianDistribution.create(Tensor.randn([2, 4, 4, 4], { seed: 3 }));

/** Reconstructions as a function of one number, which plays the last layer. */
function scaled(): { weight: Tensor; reconstructions: Tensor } {
  const weight = Tensor.ones([1], { requiresGrad: true });
  return { weight, reconstructions: y.mul(weight) };
}

test('nll, KL divergence and reconstruction follow their formulas', async () => {
  using loss = await criterion({ logvar_init: 0.5, kl_weight: 0.25, disc_factor: 0 });
  const p = await posterior();
  const { log, loss: total } = await loss.forward(x, y, p, { optimizerIdx: 0, globalStep: 0 });
  const absolute = await x.sub(y).abs().sum().item();
  const nll = absolute / 2 / Math.exp(0.5) + 0.5 * COUNT;
  const kl = (await (await p.kl()).sum().item()) / 2;
  expect(await log['train/rec_loss'].item()).toBeCloseTo(absolute / (2 * COUNT), 4);
  expect(await log['train/nll_loss'].item()).toBeCloseTo(nll, 2);
  expect(await log['train/kl_loss'].item()).toBeCloseTo(kl, 3);
  expect(await log['train/logvar'].item()).toBe(0.5);
  expect(await total.item()).toBeCloseTo(nll + 0.25 * kl, 2);
  expect(await log['train/d_weight'].item()).toBe(0);
});

test('the adaptive weight is the ratio of the gradients at the last layer, times disc_weight', async () => {
  using loss = await criterion({ disc_weight: 0.5 });
  await loss.train();
  const first = scaled();
  const args = { optimizerIdx: 0, globalStep: 0, lastLayer: first.weight };
  const { log } = await loss.forward(x, first.reconstructions, await posterior(), args);

  // nll is linear in the reconstruction: d/dw sum |x - w y| / 2 at w = 1
  const nllGradient =
    (await y
      .mul(y.sub(x).div(y.sub(x).abs()))
      .sum()
      .item()) / 2;
  const second = scaled();
  const discriminator = await loss.getSubmodule('discriminator');
  const { y: logits } = await discriminator.call('forward', { x: second.reconstructions });
  await (logits as Tensor).mean().neg().backward();
  const gGradient = await (await second.weight.grad())!.item();
  const wanted = (0.5 * Math.abs(nllGradient)) / (Math.abs(gGradient) + 1e-4);
  expect((await log['train/d_weight'].item()) / wanted).toBeCloseTo(1, 3);
});

test('the adversarial part counts from disc_start on, in both turns', async () => {
  using loss = await criterion({ disc_start: 10 });
  const p = await posterior();
  const turn = async (optimizerIdx: number, globalStep: number) => {
    const { weight, reconstructions } = scaled();
    return loss.forward(x, reconstructions, p, { optimizerIdx, globalStep, lastLayer: weight });
  };
  expect(await (await turn(0, 9)).log['train/disc_factor'].item()).toBe(0);
  expect(await (await turn(0, 10)).log['train/disc_factor'].item()).toBe(1);
  expect(await (await turn(0, 9)).log['train/d_weight'].item()).toBeGreaterThan(0);
  expect(await (await turn(1, 9)).loss.item()).toBe(0);
  expect(await (await turn(1, 10)).loss.item()).toBeGreaterThan(0);
});

test.each([
  ['hinge', (v: number) => Math.max(0, 1 + v)],
  ['vanilla', (v: number) => Math.log1p(Math.exp(v))],
])('the discriminator’s %s loss', async (disc_loss, penalty) => {
  using loss = await criterion({ disc_loss });
  await loss.eval();
  const args = { optimizerIdx: 1, globalStep: 0, split: 'val' };
  const { log } = await noGrad(async () => loss.forward(x, y, null as never, args));
  const discriminator = await loss.getSubmodule('discriminator');
  const logits = async (image: Tensor) => numbers((await noGrad(() => discriminator.call('forward', { x: image }))).y);
  const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const [real, fake] = [await logits(x), await logits(y)];
  const wanted = 0.5 * (mean(real.map((v) => penalty(-v))) + mean(fake.map(penalty)));
  expect(await log['val/disc_loss'].item()).toBeCloseTo(wanted, 5);
  expect(await log['val/logits_real'].item()).toBeCloseTo(mean(real), 5);
  expect(await log['val/logits_fake'].item()).toBeCloseTo(mean(fake), 5);
});

test('weights scale the loss, not the logged nll', async () => {
  using loss = await criterion({ kl_weight: 0, disc_factor: 0 });
  const p = await posterior();
  const args = { optimizerIdx: 0, globalStep: 0 };
  const plain = await loss.forward(x, y, p, args);
  const halved = await loss.forward(x, y, p, { ...args, weights: Tensor.full([2, 1, 1, 1], 0.5) });
  expect((await halved.loss.item()) / (await plain.loss.item())).toBeCloseTo(0.5, 5);
  expect(await halved.log['train/nll_loss'].item()).toBe(await plain.log['train/nll_loss'].item());
});

test('a conditional discriminator needs its condition, and only that one takes it', async () => {
  const p = await posterior();
  const cond = images([2, 2, 16, 16], 4);
  const args = { optimizerIdx: 1, globalStep: 0 };
  using conditional = await criterion({ disc_conditional: true, disc_in_channels: 5 });
  const { loss } = await conditional.forward(x, y, p, { ...args, cond });
  expect(await loss.item()).toBeGreaterThan(0);
  await expect(conditional.forward(x, y, p, args)).rejects.toMatchObject({ message: expect.stringContaining('cond') });
  using plain = await criterion();
  await expect(plain.forward(x, y, p, { ...args, cond })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});

test('without gradients the adaptive weight is 0 in evaluation and an error in training', async () => {
  using loss = await criterion();
  const p = await posterior();
  const args = { optimizerIdx: 0, globalStep: 0 };
  await expect(noGrad(() => loss.forward(x, y, p, args))).rejects.toMatchObject({
    message: expect.stringContaining('eval()'),
  });
  await loss.eval();
  const { log } = await noGrad(() => loss.forward(x, y, p, args));
  expect(await log['train/d_weight'].item()).toBe(0);
});
