/** Cross-attention: contexts of another batch than the queries', and bf16. */
import { setKernelPolicy } from '../../lib';
import { noGrad } from '../../lib/job';
import { createNative, Module } from '../../lib/models/module';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

const random = new Generator(5);

afterEach(() => setKernelPolicy('fast'));

async function attended(module: Module, x: Tensor, context: Tensor, precision?: 'bf16'): Promise<Float32Array> {
  const { y }: { y: Tensor } = await noGrad(() => module.call('forward', { x, context }, { precision }));
  using single = y.to({ dtype: 'float32' });
  return (await single.data()) as Float32Array;
}

// Few tokens and many take different paths.
test.each([7, 1200])('one context of %i tokens goes for several samples, as in the reference', async (tokens) => {
  using module = new Module(
    await createNative(
      'ldm.modules.attention.CrossAttention',
      { query_dim: 64, context_dim: 48, heads: 2, dim_head: 32, dropout: 0 },
      { random },
    ),
  );
  using x = Tensor.randn([3, 40, 64], { random });
  using context = Tensor.randn([1, tokens, 48], { random });
  using repeated = context.expand([3, tokens, 48]);
  const expected = await attended(module, x, repeated);
  const y = await attended(module, x, context);
  expect(y).toHaveLength(3 * 40 * 64);
  expect(Math.max(...y.map((v, i) => Math.abs(v - expected[i])))).toBeLessThan(1e-5);
  using other = Tensor.randn([2, tokens, 48], { random });
  await expect(attended(module, x, other)).rejects.toThrow(/size|shape|match/i);
});

// Widths that fill no register or several, more keys than are seen at a time, queries that fill no block, one query; x
// is large enough for some weights to be near 1.
test.each([
  [24, 96, 96],
  [33, 50, 77],
  [40, 13, 1500],
  [160, 64, 64],
  [20, 1, 5],
  [300, 100, 2100],
])('bf16: %i wide heads of %i queries over %i keys are as near to fp32 as libtorch', async (width, queries, keys) => {
  using module = new Module(
    await createNative(
      'ldm.modules.attention.CrossAttention',
      { query_dim: 64, context_dim: 48, heads: 3, dim_head: width, dropout: 0 },
      { random },
    ),
  );
  using x = Tensor.randn([2, queries, 64], { random }).mul(3);
  using context = Tensor.randn([2, keys, 48], { random }).mul(3);
  const exact = await attended(module, x, context);
  const rms = (values: Float32Array) => Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
  const error = async () => {
    const y = await attended(module, x, context, 'bf16');
    return rms(y.map((v, i) => v - exact[i])) / rms(exact);
  };
  const fast = await error();
  setKernelPolicy('exact');
  const libtorch = await error();
  setKernelPolicy('fast');
  expect(fast).toBeGreaterThan(1e-4);
  expect(fast).toBeLessThan(1.1 * libtorch);
  expect(libtorch).toBeLessThan(0.02);
});

// Several blocks of queries; self-attention, and fewer keys than queries.
test.each([
  [24, 600, null],
  [33, 500, 270],
])(
  'bf16: gradients of %i wide heads of %i queries (%j keys) are as near to fp32 as libtorch',
  async (width, queries, keys) => {
    using module = new Module(
      await createNative(
        'ldm.modules.attention.CrossAttention',
        { query_dim: 64, context_dim: keys && 48, heads: 3, dim_head: width, dropout: 0 },
        { random },
      ),
    );
    const x = Tensor.randn([2, queries, 64], { random }).mul(3);
    const context = keys ? Tensor.randn([2, keys, 48], { random }).mul(3) : null;
    const slopes = Tensor.randn([2, queries, 64], { random });
    const gradients = async (policy: 'exact' | 'fast', precision?: 'bf16') => {
      setKernelPolicy(policy);
      using input = await x.clone().requiresGrad_(true);
      await module.zeroGrad();
      const { y }: { y: Tensor } = await module.call('forward', { x: input, context }, { precision });
      await y.mul(slopes).sum().backward();
      const parameters = [...(await module.namedParameters()).values()];
      const all = await Promise.all(
        [input, ...parameters].map(async (t) => (await (await t.grad())!.data()) as Float32Array),
      );
      return all.flatMap((values) => [...values]);
    };
    const exact = await gradients('exact');
    const distance = (values: number[]) => values.reduce((s, v, i) => s + (v - exact[i]) ** 2, 0);
    const [fast, libtorch] = [await gradients('fast', 'bf16'), await gradients('exact', 'bf16')];
    expect(fast).not.toEqual(libtorch);
    expect(distance(fast)).toBeLessThan(1.1 * distance(libtorch));
    expect(distance(libtorch)).toBeLessThan(0.02 ** 2 * exact.reduce((s, v) => s + v * v, 0));
  },
);
