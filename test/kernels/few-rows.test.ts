/** Linear maps of few rows in bf16, whose products have a way of their own. */
import { setKernelPolicy } from '../../lib';
import { noGrad } from '../../lib/job';
import { createNative, Module } from '../../lib/models/module';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

afterEach(() => setKernelPolicy('fast'));

// Rows that fill no block and several, depths of one part and of more with a rest.
test.each([
  [1, 96],
  [5, 1600],
  [7, 64],
  [16, 1152],
  [31, 672],
])('%i rows of %i numbers: no more than libtorch rounds', async (rows, width) => {
  const random = new Generator(rows);
  using module = new Module(
    await createNative(
      'ldm.modules.attention.FeedForward',
      { dim: width, dim_out: width, mult: 1, glu: true, dropout: 0 },
      { random },
    ),
  );
  using x = Tensor.randn([rows, width], { random });
  const run = async (precision: 'fp32' | 'bf16') => {
    const { y }: { y: Tensor } = await noGrad(() => module.call('forward', { x }, { precision }));
    using single = y.to({ dtype: 'float32' });
    return (await single.data()) as Float32Array;
  };
  const rms = (values: Float32Array) => Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
  const expected = await run('fp32');
  const error = async () => rms((await run('bf16')).map((v, i) => v - expected[i])) / rms(expected);
  const fast = await error();
  setKernelPolicy('exact');
  const libtorch = await error();
  expect(libtorch).toBeLessThan(0.02);
  expect(fast).toBeGreaterThan(1e-4);
  expect(fast).toBeLessThan(1.1 * libtorch);
});
