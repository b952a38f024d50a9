import path from 'node:path';
import { noGrad } from '../../lib/job';
import { Tensor } from '../../lib/tensor';
import { npy } from '../helpers/npy';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { difference, images, numbers, tinyVq } from '../helpers/tiny-autoencoder';

const folder = useTempFolder();
const z = () => Tensor.randn([2, 3, 4, 5], { seed: 1 }).mul(0.1);

test('encode halves the image; decode quantizes unless told otherwise', async () => {
  using model = await tinyVq();
  await model.eval();
  const h = await noGrad(() => model.encode(images([2, 3, 16, 24])));
  expect(h.shape).toEqual([2, 3, 8, 12]);
  const { quant } = await noGrad(() => model.quantize(h));
  const decoded = await noGrad(() => model.decode(h));
  expect(decoded.shape).toEqual([2, 3, 16, 24]);
  expect(await difference(decoded, await noGrad(() => model.decode(quant, { forceNotQuantize: true })))).toBeLessThan(
    1e-5,
  );
  expect(await difference(decoded, await noGrad(() => model.decode(h, { forceNotQuantize: true })))).toBeGreaterThan(
    1e-5,
  );
  expect(await difference(decoded, await noGrad(() => model.forward(images([2, 3, 16, 24]))))).toBe(0);
});

test('every vector becomes its nearest code', async () => {
  using model = await tinyVq();
  const codes = await (await model.stateDict()).get('quantize.embedding.weight')!.toArray();
  const { quant, indices } = await noGrad(() => model.quantize(z()));
  const vectors = await z().permute(0, 2, 3, 1).reshape(-1, 3).toArray();
  const distance = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
  const wanted = vectors.map((v: number[]) => {
    const all = codes.map((code: number[]) => distance(v, code));
    return all.indexOf(Math.min(...all));
  });
  expect(indices.shape).toEqual([40]);
  expect(await numbers(indices)).toEqual(wanted);
  expect(await difference(quant, await model.codebookEntry(indices.reshape(2, 4, 5)))).toBeLessThan(1e-7);
});

test('gradients pass straight through, and the loss weighs the codebook with beta 0.25', async () => {
  using model = await tinyVq();
  const leaf = z().detach().clone().requiresGrad_(true);
  const { quant, loss } = await model.quantize(leaf);
  await quant.sum().backward();
  expect(new Set(await numbers((await leaf.grad())!))).toEqual(new Set([1]));
  const squared = quant.sub(leaf).pow(2).mean();
  expect(await loss.item()).toBeCloseTo(1.25 * (await squared.item()), 6);
});

test('sane_index_shape gives indices as [b, h, w]', async () => {
  using model = await tinyVq({ sane_index_shape: true });
  expect((await noGrad(() => model.quantize(z()))).indices.shape).toEqual([2, 4, 5]);
});

test('remap names codes by their place in a file', async () => {
  const used = [3, 0, 7, 5, 1, 2, 4, 6];
  writeFiles(folder(), { 'used.npy': npy(used) });
  using plain = await tinyVq();
  using mapped = await tinyVq({ remap: path.join(folder(), 'used.npy') });
  const before = await numbers((await noGrad(() => plain.quantize(z()))).indices);
  const { indices, quant } = await noGrad(() => mapped.quantize(z()));
  expect(indices.shape).toEqual([40, 1]);
  expect(await numbers(indices)).toEqual(before.map((i) => used.indexOf(i)));
  expect(await difference(quant, await mapped.codebookEntry(indices.reshape(2, 4, 5)))).toBeLessThan(1e-7);
});

test('use_ema adds the averaged weights to the state', async () => {
  using model = await tinyVq({ use_ema: true });
  const state = await model.stateDict();
  expect(state.has('model_ema.decay')).toBe(true);
  expect(await difference(state.get('model_ema.encoderconv_inweight')!, state.get('encoder.conv_in.weight')!)).toBe(0);
});

test('latents of another width are refused', async () => {
  using model = await tinyVq();
  await expect(model.quantize(Tensor.zeros([1, 4, 2, 2]))).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});
