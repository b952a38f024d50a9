import { noGrad } from '../../lib/job';
import { TamingVQLPIPSWithDiscriminator, VQLPIPSWithDiscriminator } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { images, vqLoss } from '../helpers/tiny-autoencoder';

const SHAPE = [2, 3, 16, 16];
const x = images(SHAPE, 1);
const y = images(SHAPE, 2);
const criterion = (params: Record<string, unknown> = {}) =>
  VQLPIPSWithDiscriminator.create(vqLoss(params).params as never, { random: new Generator(1) });
const args = { optimizerIdx: 0, globalStep: 0, split: 'val' };
const indices = Tensor.from(BigInt64Array.from([0, 0, 1, 5], BigInt));

/** A turn without gradients: then the adversarial part weighs nothing. */
async function evaluated(loss: TamingVQLPIPSWithDiscriminator, codebook: Tensor | null, more = {}) {
  await loss.eval();
  const { loss: total, log } = await noGrad(() => loss.forward(codebook, x, y, { ...args, ...more }));
  const logged = new Map<string, number>();
  for (const [name, value] of Object.entries(log)) logged.set(name, await value.item());
  return { total: await total.item(), logged };
}

test.each([
  ['l1', (d: Tensor) => d.abs()],
  ['l2', (d: Tensor) => d.pow(2)],
])('the loss is the mean of %s and the weighted codebook loss', async (pixel_loss, distance) => {
  using loss = await criterion({ pixel_loss, codebook_weight: 0.5 });
  const { total, logged } = await evaluated(loss, Tensor.full([2], 3));
  const wanted = await distance(x.sub(y)).mean().item();
  expect(logged.get('val/rec_loss')).toBeCloseTo(wanted, 5);
  expect(logged.get('val/nll_loss')).toBeCloseTo(wanted, 5);
  expect([logged.get('val/quant_loss'), logged.get('val/p_loss'), logged.get('val/d_weight')]).toEqual([3, 0, 0]);
  expect(total).toBeCloseTo(wanted + 1.5, 5);
  expect(logged.get('val/total_loss')).toBe(total);
  expect((await evaluated(loss, null)).total).toBeCloseTo(wanted, 5);
});

test('perplexity and use of the codebook are logged when n_classes and indices are there', async () => {
  using loss = await criterion();
  const { logged } = await evaluated(loss, null, { predictedIndices: indices });
  const entropy = -(0.5 * Math.log(0.5) + 0.5 * Math.log(0.25));
  expect(logged.get('val/perplexity')).toBeCloseTo(Math.exp(entropy), 5);
  expect(logged.get('val/cluster_usage')).toBe(3);
  expect((await evaluated(loss, null)).logged.has('val/perplexity')).toBe(false);
  using without = await criterion({ n_classes: null });
  expect((await evaluated(without, null, { predictedIndices: indices })).logged.has('val/perplexity')).toBe(false);
});

test('the loss of taming is the same without those options', async () => {
  const { n_classes: _, ...params } = vqLoss().params;
  using taming = await TamingVQLPIPSWithDiscriminator.create(params, { random: new Generator(1) });
  using own = await criterion();
  expect(await evaluated(taming, Tensor.full([], 2))).toEqual(await evaluated(own, Tensor.full([], 2)));
  const wrong = { ...params, pixel_loss: 'l2' } as never;
  await expect(TamingVQLPIPSWithDiscriminator.create(wrong)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
});

test('the adaptive weight is computed at disc_factor 0 too, and counts nothing', async () => {
  using loss = await criterion({ disc_factor: 0 });
  const weight = Tensor.ones([1], { requiresGrad: true });
  const turn = { ...args, lastLayer: weight };
  const { loss: total, log } = await loss.forward(null, x, y.mul(weight), turn);
  expect(await log['val/d_weight'].item()).toBeGreaterThan(0);
  expect(await total.item()).toBe(await log['val/nll_loss'].item());
});

test('the discriminator’s first width is disc_ndf', async () => {
  using loss = await criterion({ disc_ndf: 12 });
  expect((await loss.stateDict()).get('discriminator.main.0.weight')!.shape).toEqual([12, 3, 4, 4]);
});
