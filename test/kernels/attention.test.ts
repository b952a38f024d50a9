/** Cross-attention whose fast paths need operands of the same batch, on contexts of another one. */
import { noGrad } from '../../lib/job';
import { createNative, Module } from '../../lib/models/module';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

const random = new Generator(5);

async function attended(module: Module, x: Tensor, context: Tensor): Promise<Float32Array> {
  const { y }: { y: Tensor } = await noGrad(() => module.call('forward', { x, context }));
  return (await y.data()) as Float32Array;
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
