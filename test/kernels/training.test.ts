/** Gradients of the fast paths beside those of libtorch's own operators. */
import { AutoencoderKL, Generator, setKernelPolicy, Tensor, UNetModel } from '../../lib';
import { native } from '../../lib/native';
import { kernelAutoencoder } from './autoencoder';

native().setThreads('cpu', 1);
afterEach(() => setKernelPolicy('fast'));

interface Shape {
  ch: number;
  ch_mult?: number[];
  batch: number;
  height: number;
  width: number;
}
type Gradients = Map<string, Float32Array>;

/** A function that gives the gradients of all parameters of an autoencoder, by name. */
async function differentiable({ ch, ch_mult = [1], batch, height, width }: Shape) {
  const model = await AutoencoderKL.create(kernelAutoencoder({ ch, ch_mult }), { random: new Generator(3) });
  await model.train();
  const x = Tensor.rand([batch, 3, height, width], { random: new Generator(7) });
  return async (policy: 'exact' | 'fast', precision: 'fp32' | 'bf16' = 'fp32'): Promise<Gradients> => {
    setKernelPolicy(policy);
    await model.zeroGrad();
    using posterior = await model.encode(x, { precision });
    const y = await model.decode(await posterior.mode(), { precision });
    await y.sub(x).pow(2).mean().backward();
    const out: Gradients = new Map();
    for (const [name, p] of await model.namedParameters())
      out.set(name, (await (await p.grad())!.data()) as Float32Array);
    return out;
  };
}

/** Gradients of all parameters, as [largest difference, largest value] between the policies, by name. */
async function compare(shape: Shape): Promise<Map<string, number[]>> {
  const gradients = await differentiable(shape);
  return differences(await gradients('exact'), await gradients('fast'));
}

/** [largest difference, largest value] by name. */
function differences(exact: Gradients, fast: Gradients): Map<string, number[]> {
  const size = (values: Iterable<number>) => [...values].reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return new Map([...exact].map(([name, e]) => [name, [size(e.map((v, i) => v - fast.get(name)![i])), size(e)]]));
}

// Tiles of 4x4 stick out at both edges; two images.
test.each([
  ['Winograd and group norm', { ch: 128, batch: 2, height: 30, width: 34 }],
  ['group norm with 2 channels per group', { ch: 64, batch: 1, height: 48, width: 48 }],
])('%s: gradients agree to 1e-4 of the largest', async (_name, shape) => {
  const errors = await compare(shape);
  for (const [name, [error, largest]] of errors)
    if (error > 1e-4 * largest + 1e-7) throw new Error(`${name}: ${error} of ${largest}`);
  expect(Math.max(...[...errors.values()].map(([error]) => error))).toBeGreaterThan(0); // both were really taken
});

test('bf16: gradients are no further from those of fp32 than those of libtorch under autocast', async () => {
  // several blocks of tiles, which stick out; a convolution of the enlarged image, one with a stride, 1x1 ones
  const gradients = await differentiable({ ch: 64, ch_mult: [1, 2], batch: 1, height: 76, width: 60 });
  const exact = await gradients('exact');
  const autocast = await gradients('exact', 'bf16');
  const fast = await gradients('fast', 'bf16');
  const distance = (a: Float32Array, b?: Float32Array) => a.reduce((s, v, i) => s + (v - (b?.[i] ?? 0)) ** 2, 0);
  const totals = [0, 0, 0];
  for (const [name, values] of exact) {
    const parts = [distance(values), distance(autocast.get(name)!, values), distance(fast.get(name)!, values)];
    parts.forEach((v, i) => {
      totals[i] += v;
    });
    // the bias of keys has none but rounding noise
    if (!name.endsWith('k.bias') && parts[2] > 4 * parts[1])
      throw new Error(`${name}: ${Math.sqrt(parts[2] / parts[0])}, autocast ${Math.sqrt(parts[1] / parts[0])}`);
  }
  expect(totals[2]).toBeLessThan(1.2 * totals[1]);
  expect(fast.get('decoder.mid.block_1.conv1.weight')).not.toEqual(autocast.get('decoder.mid.block_1.conv1.weight'));
});

test('a small network trains bit by bit as with exact kernels', async () => {
  for (const [name, [error]] of await compare({ ch: 32, batch: 2, height: 16, width: 16 }))
    expect([name, error]).toEqual([name, 0]);
});

const UNET = { image_size: 16, in_channels: 4, out_channels: 4, num_res_blocks: 1, num_heads: 4 };

// Products of rows and of planes, attention by blocks over 256 tokens and by the plain formula over 64.
test.each([
  [
    'channels-last, transformers',
    8,
    {
      ...UNET,
      model_channels: 64,
      channel_mult: [1, 2],
      attention_resolutions: [1, 2],
      use_spatial_transformer: true,
      context_dim: 24,
      legacy: false,
    },
  ],
  ['contiguous, attention blocks', 2, { ...UNET, model_channels: 256, channel_mult: [1], attention_resolutions: [1] }],
])('a U-Net, %s: gradients agree to 1e-4 of the largest', async (_, batch, params) => {
  const random = new Generator(5);
  using model = await UNetModel.create(params as never, { random });
  await model.train();
  const state = await model.stateDict();
  // zero in a new network
  for (const [name, tensor] of state)
    if (/out_layers\.3|proj_out|^out\.2/.test(name)) state.set(name, Tensor.randn(tensor.shape, { random }).mul(0.05));
  await model.loadStateDict(state);
  using x = Tensor.randn([batch, 4, 16, 16], { random });
  using t = Tensor.full([batch], 300);
  const context = 'context_dim' in params ? Tensor.randn([batch, 5, 24], { random }) : undefined;
  const gradients = async (policy: 'exact' | 'fast') => {
    setKernelPolicy(policy);
    await model.zeroGrad();
    using y = await model.forward(x, t, { context });
    await y.sub(x).pow(2).mean().backward();
    const out = new Map<string, Float32Array>();
    for (const [name, p] of await model.namedParameters())
      out.set(name, (await (await p.grad())!.data()) as Float32Array);
    return out;
  };
  const errors = differences(await gradients('exact'), await gradients('fast'));
  for (const [name, [error, largest]] of errors)
    if (error > 1e-4 * largest + 1e-7) throw new Error(`${name}: ${error} of ${largest}`);
  expect(Math.max(...[...errors.values()].map(([error]) => error))).toBeGreaterThan(0);
});
