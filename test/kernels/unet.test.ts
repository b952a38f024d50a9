/** The fast paths that serve a U-Net: products, blockwise attention, convolutions over few pixels, modulated norms. */
import { Generator, noGrad, setKernelPolicy, Tensor, UNetModel } from '../../lib';

const PLAIN = {
  image_size: 16,
  in_channels: 4,
  out_channels: 4,
  model_channels: 64,
  attention_resolutions: [1, 2],
  num_res_blocks: 1,
  channel_mult: [1, 2],
  num_heads: 4,
};
const KINDS = {
  'scale-shift norms, resampling residual blocks': {
    ...PLAIN,
    use_scale_shift_norm: true,
    resblock_updown: true,
  },
  transformers: {
    ...PLAIN,
    use_spatial_transformer: true,
    transformer_depth: 1,
    context_dim: 24,
    legacy: false,
  },
};

afterEach(() => setKernelPolicy('fast'));

/** A U-Net whose last layers are not zero, as they are when it is new. */
async function created(params: (typeof KINDS)[keyof typeof KINDS]): Promise<UNetModel> {
  const random = new Generator(5);
  const model = await UNetModel.create(params as never, { random });
  await model.eval();
  const state = await model.stateDict();
  for (const [name, tensor] of state)
    if (/out_layers\.3|proj_out|^out\.2/.test(name)) state.set(name, Tensor.randn(tensor.shape, { random }).mul(0.05));
  await model.loadStateDict(state);
  return model;
}

// 10x6: images that no block size divides; the rows of the scores of attention end within a vector.
test.each(Object.entries(KINDS))('fast and exact agree to 2e-5 of the largest value: %s', async (_, params) => {
  const model = await created(params);
  const random = new Generator(6);
  // a context of one token, as of a class, takes a way of its own
  for (const [batch, height, width, tokens] of [
    [1, 16, 16, 5],
    [3, 10, 6, 5],
    [2, 16, 16, 1],
  ]) {
    using x = Tensor.randn([batch, 4, height, width], { random });
    using t = Tensor.full([batch], 300);
    const context = 'context_dim' in params ? Tensor.randn([batch, tokens, 24], { random }) : undefined;
    const run = async () => (await (await noGrad(() => model.forward(x, t, { context }))).data()) as Float32Array;
    setKernelPolicy('exact');
    const exact = await run();
    setKernelPolicy('fast');
    const fast = await run();
    const largest = exact.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const error = exact.reduce((m, v, i) => Math.max(m, Math.abs(v - fast[i])), 0);
    expect(largest).toBeGreaterThan(0.1);
    expect(error).toBeLessThan(2e-5 * largest);
    expect(error).toBeGreaterThan(0);
  }
  model.dispose();
});

test.each(Object.entries(KINDS))('the error of bf16 is at most that of libtorch: %s', async (_, params) => {
  const model = await created(params);
  const random = new Generator(7);
  using x = Tensor.randn([2, 4, 16, 16], { random });
  using t = Tensor.full([2], 300);
  const context = 'context_dim' in params ? Tensor.randn([2, 5, 24], { random }) : undefined;
  const run = async (precision: 'fp32' | 'bf16') =>
    (await (await noGrad(() => model.forward(x, t, { context }, { precision }))).data()) as Float32Array;
  const rms = (values: Float32Array) => Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
  setKernelPolicy('exact');
  const expected = await run('fp32');
  const error = async () => rms((await run('bf16')).map((v, i) => v - expected[i])) / rms(expected);
  const libtorch = await error();
  setKernelPolicy('fast');
  const fast = await error();
  expect(fast).toBeGreaterThan(1e-4);
  expect(fast).toBeLessThan(Math.min(0.02, 1.1 * libtorch));
  model.dispose();
});
