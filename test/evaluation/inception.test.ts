/**
 * Inception against torch-fidelity's network (FeatureExtractorInceptionV3) with deterministic weights, since the published
 * ones are no part of this project; and the other formulas against numpy and scipy.
 */
import path from 'node:path';
import { writeSafetensors } from '../../lib/checkpoint';
import { GaussianStatistics, InceptionV3 } from '../../lib/evaluation';
import { inceptionName } from '../../lib/evaluation/inception-names';
import { callNative, createNative } from '../../lib/models/module';
import { native } from '../../lib/native';
import { op, Tensor } from '../../lib/tensor';
import { fillDeterministic } from '../golden/runner/weights';
import { useTempFolder } from '../helpers/temp-folder';
import { numbers } from '../helpers/tiny-autoencoder';
import expected from './inception-case.json';

native().setThreads('cpu', 2);
const folder = useTempFolder();

/** The images of the case. */
function caseImages(): Tensor {
  const [n, c, h, w] = expected.shape;
  const data = Uint8Array.from({ length: n * c * h * w }, (_, i) => ((i * 31) ^ ((i >> 3) * 7)) & 255);
  return Tensor.from(data, expected.shape);
}

describe('InceptionV3', () => {
  let inception: InceptionV3;
  beforeAll(async () => {
    inception = await InceptionV3.create();
    await fillDeterministic(inception, { prefix: '', seed: expected.seed });
  });
  afterAll(() => inception.dispose());

  it.each([
    ['torch-fidelity', expected.tensorflow, expected.tensorflowSum],
    ['pytorch-fid', expected['half-pixel'], expected.halfPixelSum],
  ] as const)('gives the features of %s', async (protocol, features, sums) => {
    const result = await inception.features(caseImages(), protocol);
    expect(result.shape).toEqual([2, 2048]);
    const got = await numbers(result);
    for (const [i, row] of features.entries()) {
      for (const [k, value] of row.entries())
        expect(Math.abs(got[i * 2048 + k * expected.every] - value)).toBeLessThan(2e-6);
      const sum = got.slice(i * 2048, (i + 1) * 2048).reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - sums[i])).toBeLessThan(1e-3);
    }
  });

  it('has the reference’s names in its order', async () => {
    const names = [...(await inception.stateDict()).keys()];
    expect(names).toHaveLength(expected.keys);
    let hash = 0xcbf29ce484222325n;
    for (const byte of Buffer.from(names.join('\n')))
      hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & (2n ** 64n - 1n);
    expect(hash.toString(16).padStart(16, '0')).toBe(expected.keysFnv);
  });

  it('refuses images that are not of 8 bits', async () => {
    await expect(inception.features(Tensor.zeros([1, 3, 8, 8]), 'pytorch-fid')).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });

  it('reads its weights under the names of TensorFlow’s graph, and refuses another network', async () => {
    const state = await inception.stateDict();
    const file = path.join(folder(), 'tensorflow.safetensors');
    // What the translated graph lacks, a normalization's scale, is one there.
    const renamed = new Map<string, Tensor>();
    for (const name of tensorflowNames()) renamed.set(name, state.get(inceptionName(name)!)!);
    await writeSafetensors(file, renamed);
    using other = await InceptionV3.create();
    await other.loadWeights(file);
    const [a, b] = [await other.stateDict(), state].map((s) => s.get('Mixed_7c.branch3x3dbl_3b.conv.weight')!);
    expect(await a.sub(b).abs().max().item()).toBe(0);
    expect(await (await other.stateDict()).get('Mixed_5b.branch1x1.bn.weight')!.min().item()).toBe(1);
    const wrong = path.join(folder(), 'wrong.safetensors');
    await writeSafetensors(wrong, new Map([['fc.weight', Tensor.zeros([1008, 2048])]]));
    await expect(other.loadWeights(wrong)).rejects.toThrow(/376 of its 376 tensors are not there/);
  });
});

/** All tensors of the graph: convolution, shift, mean and variance of each layer. */
function tensorflowNames(): string[] {
  const tower = (name: string, n: number) => Array.from({ length: n }, (_, i) => `${name}.conv${i ? `_${i}` : ''}`);
  const a = ['conv', ...tower('tower', 2), ...tower('tower_1', 3), 'tower_2.conv'];
  const b = ['conv', ...tower('tower', 3)];
  const c = ['conv', ...tower('tower', 3), ...tower('tower_1', 5), 'tower_2.conv'];
  const d = [...tower('tower', 2), ...tower('tower_1', 4)];
  const towers = ['tower_conv', 'tower_1_conv', 'tower_1_conv_1', 'tower_2_conv'];
  const e = ['conv', ...towers, ...['tower', 'tower_1'].flatMap((t) => [`${t}_mixed_conv`, `${t}_mixed_conv_1`])];
  const blocks = [a, a, a, b, c, c, c, c, d, e, e];
  const layers = [
    ...[0, 1, 2, 3, 4].map((i) => `conv${i ? `_${i}` : ''}`),
    ...blocks.flatMap((convs, i) => convs.map((conv) => `mixed${i ? `_${i}` : ''}.${conv}`)),
  ];
  return layers.flatMap((layer) => ['weight', 'beta', 'mean', 'var'].map((leaf) => `layers.${layer}.${leaf}`));
}

test('names of every layout lead to different tensors of the network', () => {
  const names = tensorflowNames().map(inceptionName);
  expect(new Set(names).size).toBe(4 * 94);
  expect(names).not.toContain(undefined);
  expect(inceptionName('blocks.0.0.conv.weight')).toBe('Conv2d_1a_3x3.conv.weight');
  expect(inceptionName('blocks.2.7.branch_pool.bn.bias')).toBe('Mixed_6e.branch_pool.bn.bias');
  expect(inceptionName('blocks.3.2.branch3x3_2a.conv.weight')).toBe('Mixed_7c.branch3x3_2a.conv.weight');
  expect(inceptionName('AuxLogits.conv0.conv.weight')).toBeUndefined();
});

describe('the Fréchet distance', () => {
  /** Deterministic numbers as the case's generator has them. */
  const vectors = (name: string, n: number, d: number) => {
    const unit = op('detweights', [`${name}.running_mean`, [n, d], 0, 'float32', 'cpu']);
    return unit.mul(10);
  };

  it.each([0, 1])('is that of torch-fidelity’s and scipy’s formulas (%i)', async (k) => {
    const { n, d, value } = expected.frechet[k];
    const scale = Tensor.from(
      Float64Array.from({ length: d }, (_, i) => 0.2 + (1.8 * i) / (d - 1)),
      [1, d],
    );
    using a = await GaussianStatistics.create(d);
    using b = await GaussianStatistics.create(d);
    const [x, y] = ['a', 'b'].map((name, i) => vectors(name, n[i], d).to({ dtype: 'float64' }).mul(scale));
    // In parts of different sizes: the sums must not depend on the batches.
    await a.add(x.slice(0, 0, 3));
    await a.add(x.slice(0, 3, n[0]));
    await b.add(y.add(0.3));
    expect(a.count).toBe(n[0]);
    expect(Math.abs((await a.frechetDistance(b)) - value)).toBeLessThan(1e-5);
    expect(Math.abs((await a.frechetDistance(a)) / value)).toBeLessThan(1e-12);
  });

  it('is kept by a file of statistics', async () => {
    using a = await GaussianStatistics.create(6);
    using b = await GaussianStatistics.create(6);
    await a.add(vectors('a', 30, 6));
    await b.add(vectors('b', 40, 6));
    const file = path.join(folder(), 'statistics.npz');
    await b.write(file);
    using read = await GaussianStatistics.read(file);
    expect(await a.frechetDistance(read)).toBeCloseTo(await a.frechetDistance(b), 12);
    await expect(a.add(Tensor.full([2, 6], Number.NaN))).rejects.toMatchObject({ code: 'ERR_NAN' });
  });
});

test('SSIM and PSNR are those of the paper’s formulas', async () => {
  const a = caseImages();
  const data = [...((await a.data()) as Uint8Array)];
  const b = Tensor.from(
    Uint8Array.from(data, (level, i) => Math.floor(level / 2) + 40 + (i % 17)),
    expected.shape,
  );
  const quality = await createNative('node_ldm.evaluation.ImageQuality', {});
  const { psnr, ssim } = await callNative(quality, 'compare', { a, b });
  (await numbers(ssim)).forEach((value, i) => {
    expect(Math.abs(value - expected.ssim[i])).toBeLessThan(1e-10);
  });
  (await numbers(psnr)).forEach((value, i) => {
    expect(Math.abs(value - expected.psnr[i])).toBeLessThan(1e-10);
  });
  const same = await callNative(quality, 'compare', { a, b: a });
  expect([await numbers(same.psnr), await numbers(same.ssim)]).toEqual([
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [1, 1],
  ]);
  await expect(callNative(quality, 'compare', { a, b: a.slice(2, 0, 20) })).rejects.toThrow(/of one size/);
});
