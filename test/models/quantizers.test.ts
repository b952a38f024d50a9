import path from 'node:path';
import { noGrad } from '../../lib/job';
import { EMAVectorQuantizer, GumbelQuantize, VectorQuantizer, VectorQuantizer2 } from '../../lib/models';
import { Generator, Recorder, Tape } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { npy } from '../helpers/npy';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { difference, numbers } from '../helpers/tiny-autoencoder';

const folder = useTempFolder();
const z = () => Tensor.randn([2, 4, 3, 5], { seed: 1 });
const random = () => new Generator(1);
const remapTo = (used: number[]) => {
  writeFiles(folder(), { 'used.npy': npy(used) });
  return path.join(folder(), 'used.npy');
};

test('the first version gives the codes of VectorQuantizer2, with perplexity and one-hot rows', async () => {
  const params = { n_e: 6, e_dim: 4, beta: 0.25 };
  using first = await VectorQuantizer.create(params, { random: random() });
  using second = await VectorQuantizer2.create(params, { random: random() });
  const [a, b] = await noGrad(async () => [await first.quantize(z()), await second.quantize(z())]);
  expect(a.indices.shape).toEqual([30, 1]);
  expect(await numbers(a.indices)).toEqual(await numbers(b.indices));
  expect(await difference(a.quant, b.quant)).toBeLessThan(1e-6);
  expect(await a.loss.item()).toBeCloseTo(await b.loss.item(), 6);
  const counts = await numbers(a.encodings!.sum(0));
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(30);
  const entropy = counts.reduce((sum, n) => sum - (n / 30) * Math.log(n / 30 + 1e-10), 0);
  expect(await a.perplexity!.item()).toBeCloseTo(Math.exp(entropy), 4);
  expect(b.perplexity).toBeNull();
});

test('remap refuses codes that the codebook does not have', async () => {
  const params = { n_e: 6, e_dim: 4, beta: 0.25, remap: remapTo([0, 6]) };
  await expect(VectorQuantizer2.create(params)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('from 0 to 5'),
  });
});

describe('GumbelQuantize', () => {
  const params = { num_hiddens: 4, embedding_dim: 3, n_embed: 6, kl_weight: 0.5 };

  test('draws one code each; the loss is the divergence from the uniform distribution', async () => {
    using gumbel = await GumbelQuantize.create(params, { random: random() });
    await gumbel.eval();
    const { quant, loss, indices, logits } = await noGrad(() => gumbel.quantize(z(), { random: new Generator(2) }));
    expect([quant.shape, indices.shape, logits!.shape]).toEqual([
      [2, 3, 3, 5],
      [2, 3, 5],
      [2, 6, 3, 5],
    ]);
    expect(await difference(quant, await noGrad(() => gumbel.codebookEntry(indices)))).toBeLessThan(1e-6);
    const q = logits!.exp().div(logits!.exp().sum(1, true));
    const divergence = q.mul(q.mul(6).log()).sum(1).mean();
    expect(await loss.item()).toBeCloseTo(0.5 * (await divergence.item()), 5);
    const again = await noGrad(() => gumbel.quantize(z(), { random: new Generator(3) }));
    expect(await numbers(again.indices)).not.toEqual(await numbers(indices));
  });

  test('its draws can be recorded and replayed; the largest logit plus noise wins', async () => {
    using gumbel = await GumbelQuantize.create(params, { random: random() });
    const recorder = new Recorder(new Generator(5));
    const first = await noGrad(() => gumbel.quantize(z(), { random: recorder }));
    const items = await recorder.tape();
    expect(items.map((item) => item.kind)).toEqual(['exponential']);
    const tape = new Tape(items);
    const second = await noGrad(() => gumbel.quantize(z(), { random: tape }));
    await tape.finish();
    expect(await numbers(second.indices)).toEqual(await numbers(first.indices));
    const noisy = first.logits!.sub(items[0].tensor.log());
    const best = await numbers(noisy.argmax(1));
    expect(await numbers(first.indices)).toEqual(best);
  });

  test('a low temperature makes soft draws hard', async () => {
    using gumbel = await GumbelQuantize.create({ ...params, straight_through: false }, { random: random() });
    const softness = async (temperature: number) => {
      await gumbel.setTemperature(temperature);
      const { quant, indices } = await noGrad(() => gumbel.quantize(z(), { random: new Generator(2) }));
      return difference(quant, await noGrad(() => gumbel.codebookEntry(indices)));
    };
    expect(await softness(1)).toBeGreaterThan(0.1);
    expect(await softness(1e-3)).toBeLessThan(1e-3);
  });

  test('gradients reach latents and codes', async () => {
    using gumbel = await GumbelQuantize.create(params, { random: random() });
    const leaf = z().requiresGrad_(true);
    const { quant, loss } = await gumbel.quantize(leaf, { random: new Generator(2) });
    await quant.pow(2).sum().add(loss).backward();
    expect(await (await leaf.grad())!.abs().sum().item()).toBeGreaterThan(0);
    for (const parameter of (await gumbel.namedParameters()).values())
      expect(await (await parameter.grad())!.abs().sum().item()).toBeGreaterThan(0);
  });

  test('remap draws only the codes in use', async () => {
    const remap = remapTo([4, 1]);
    using gumbel = await GumbelQuantize.create({ ...params, remap }, { random: random() });
    const { quant, indices, logits } = await noGrad(() => gumbel.quantize(z(), { random: new Generator(2) }));
    expect(logits!.shape).toEqual([2, 2, 3, 5]);
    expect(new Set(await numbers(indices))).toEqual(new Set([0, 1]));
    expect(await difference(quant, await noGrad(() => gumbel.codebookEntry(indices)))).toBeLessThan(1e-6);
    expect(await numbers(await gumbel.unmapToAll(Tensor.from(BigInt64Array.of(0n, 1n), [1, 2])))).toEqual([4, 1]);
  });
});

describe('EMAVectorQuantizer', () => {
  const params = { n_embed: 6, embedding_dim: 4, beta: 0.25 };

  test('moves its codes towards the mean of their latents, in training mode only', async () => {
    using ema = await EMAVectorQuantizer.create(params, { random: random() });
    expect([...(await ema.stateDict()).keys()]).toEqual([
      'embedding.weight',
      'embedding.cluster_size',
      'embedding.embed_avg',
    ]);
    const weight = async () => (await ema.stateDict()).get('embedding.weight')!.clone();
    const before = await weight();
    await ema.eval();
    const { encodings, loss, quant, perplexity } = await noGrad(() => ema.quantize(z()));
    expect(await difference(await weight(), before)).toBe(0);
    expect(await loss.item()).toBeCloseTo(0.25 * (await quant.sub(z()).pow(2).mean().item()), 5);
    expect(await perplexity!.item()).toBeGreaterThan(1);

    await ema.train();
    await noGrad(() => ema.quantize(z()));
    // cluster_size and embed_avg keep 0.99 of what they were (nothing, and the codes).
    const flat = z().permute(0, 2, 3, 1).reshape(-1, 4);
    const size = encodings!.sum(0).mul(0.01);
    const sums = before.mul(0.99).add(encodings!.permute(1, 0).matmul(flat).mul(0.01));
    const total = await size.sum().item();
    const smoothed = size.add(1e-5).mul(total / (total + 6e-5));
    const wanted = sums.div(smoothed.reshape(6, 1));
    const scale = await wanted.abs().max().item();
    expect(await difference(await weight(), wanted)).toBeLessThan(1e-5 * scale);
  });

  test('the latents get the commitment’s gradient, the codes none', async () => {
    using ema = await EMAVectorQuantizer.create(params, { random: random() });
    await ema.eval();
    const leaf = z().requiresGrad_(true);
    const { loss, quant } = await ema.quantize(leaf);
    await loss.backward();
    const wanted = leaf
      .detach()
      .sub(quant.detach())
      .mul((2 * 0.25) / 120);
    expect(await difference((await leaf.grad())!, wanted)).toBeLessThan(1e-6);
    expect((await ema.namedParameters()).get('embedding.weight')!.requiresGrad).toBe(false);
  });

  test('remap reduces the indices', async () => {
    using plain = await EMAVectorQuantizer.create(params, { random: random() });
    const all = await numbers((await noGrad(() => plain.quantize(z()))).indices);
    const used = [5, 4, 3, 2, 1, 0];
    using mapped = await EMAVectorQuantizer.create({ ...params, remap: remapTo(used) }, { random: random() });
    const { indices } = await noGrad(() => mapped.quantize(z()));
    expect(indices.shape).toEqual([30, 1]);
    expect(await numbers(indices)).toEqual(all.map((i) => used.indexOf(i)));
  });
});
