import { noGrad } from '../../lib/job';
import { createNative, Module } from '../../lib/models/module';
import { native } from '../../lib/native';
import { Tensor } from '../../lib/tensor';
import { smallInput, timesteps, tinyUNet } from './networks';

const CROSS_ATTENTION = 'ldm.modules.attention.CrossAttention';
const attention = async () =>
  new Module(
    await createNative(CROSS_ATTENTION, { query_dim: 4, context_dim: null, heads: 1, dim_head: 2, dropout: 0 }),
  );
const KEYS = ['to_q.weight', 'to_k.weight', 'to_v.weight', 'to_out.0.weight', 'to_out.0.bias'];
const SHAPES: Record<string, number[]> = {
  'to_q.weight': [2, 4],
  'to_k.weight': [2, 4],
  'to_v.weight': [2, 4],
  'to_out.0.weight': [4, 2],
  'to_out.0.bias': [4],
};
const constants = (value: number) => new Map(KEYS.map((key) => [key, Tensor.full(SHAPES[key], value)]));
const values = async (module: Module, key: string) => (await module.stateDict()).get(key)!.reshape(-1).toArray();

describe('state', () => {
  test('names are in Python’s order, tensors are the live ones', async () => {
    using module = await attention();
    const state = await module.stateDict();
    expect([...state.keys()]).toEqual(KEYS);
    expect([...state.values()].map((t) => t.shape)).toEqual(KEYS.map((key) => SHAPES[key]));
    expect([...(await module.namedParameters()).keys()]).toEqual(KEYS);
    await module.loadStateDict(constants(3));
    expect(await state.get('to_out.0.bias')!.toArray()).toEqual([3, 3, 3, 3]);
  });

  test('loading casts to the module’s type', async () => {
    using module = await attention();
    const half = new Map([...constants(0.1)].map(([key, t]) => [key, t.to({ dtype: 'float16' })]));
    await module.loadStateDict(half);
    expect((await module.stateDict()).get('to_q.weight')!.dtype).toBe('float32');
    expect((await values(module, 'to_q.weight'))[0]).toBeCloseTo(0.1, 4);
  });

  test('a strict load names what is missing, unexpected and mis-shaped, and changes nothing', async () => {
    using module = await attention();
    await module.loadStateDict(constants(1));
    const wrong = constants(2);
    wrong.delete('to_k.weight');
    wrong.set('to_z.weight', Tensor.zeros([1]));
    wrong.set('to_q.weight', Tensor.zeros([4, 2]));
    const load = module.loadStateDict(wrong, { source: 'weights.ckpt' });
    await expect(load).rejects.toThrow(expect.objectContaining({ code: 'ERR_MISSING_KEYS' }));
    await expect(load).rejects.toThrow(/weights\.ckpt.*missing \(1\): to_k\.weight.*unexpected \(1\): to_z\.weight/s);
    await expect(load).rejects.toThrow(/to_q\.weight \(model \[2,4\], file \[4,2\]\)/);
    for (const key of KEYS) expect(new Set(await values(module, key))).toEqual(new Set([1]));
  });

  test('a load that is not strict takes what fits and reports the rest', async () => {
    using module = await attention();
    await module.loadStateDict(constants(1));
    const some = new Map([
      ['to_q.weight', Tensor.full([2, 4], 5)],
      ['other', Tensor.zeros([1])],
    ]);
    const report = await module.loadStateDict(some, { strict: false });
    expect(report).toEqual({ missing: KEYS.slice(1), unexpected: ['other'], mismatched: [] });
    expect((await values(module, 'to_q.weight'))[0]).toBe(5);
    expect((await values(module, 'to_k.weight'))[0]).toBe(1);
    const shapes = new Map([['to_q.weight', Tensor.zeros([1])]]);
    await expect(module.loadStateDict(shapes, { strict: false })).rejects.toThrow(/of another shape/);
  });

  test('ignoreKeys leaves out by prefix', async () => {
    using module = await attention();
    await module.loadStateDict(constants(1));
    const report = await module.loadStateDict(constants(2), { strict: false, ignoreKeys: ['to_out'] });
    expect(report.missing).toEqual(['to_out.0.weight', 'to_out.0.bias']);
    expect((await values(module, 'to_out.0.bias'))[0]).toBe(1);
    expect((await values(module, 'to_q.weight'))[0]).toBe(2);
  });
});

describe('modes', () => {
  test('train and eval', async () => {
    using module = await attention();
    expect(await module.call('isTraining')).toBe(true);
    await module.eval();
    expect(await module.call('isTraining')).toBe(false);
    await module.train();
    expect(await module.call('isTraining')).toBe(true);
  });

  test('zeroGrad forgets gradients', async () => {
    using module = await attention();
    const { y } = await module.call('forward', { x: Tensor.ones([1, 3, 4]) });
    await y.sum().backward();
    const weight = (await module.namedParameters()).get('to_v.weight')!;
    expect(await weight.grad()).not.toBeNull();
    await module.zeroGrad();
    expect(await weight.grad()).toBeNull();
  });

  test('to casts weights in place and computes in their type', async () => {
    using unet = await tinyUNet();
    const before = native().memoryUsage().objectBytes;
    await unet.to({ dtype: 'bfloat16' });
    expect(native().memoryUsage().objectBytes).toBeLessThan(before);
    expect((await unet.stateDict()).get('time_embed.0.weight')!.dtype).toBe('bfloat16');
    const x = smallInput();
    expect((await noGrad(() => unet.forward(x, timesteps(1)))).dtype).toBe('float32'); // as the input
  });

  test('precision bf16 computes in bfloat16 and gives the result back in the input’s type', async () => {
    using unet = await tinyUNet();
    const state = [...(await unet.stateDict())];
    await unet.loadStateDict(new Map(state.map(([key, t]) => [key, t.add(0.01)])));
    const run = (precision: 'fp32' | 'bf16') =>
      noGrad(() => unet.forward(smallInput(), timesteps(1), {}, { precision }));
    const [exact, fast] = await Promise.all([run('fp32'), run('bf16')]);
    expect(fast.dtype).toBe('float32');
    const [error, size] = await Promise.all([exact.sub(fast).abs().max().item(), exact.abs().max().item()]);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.05 * size);
  });
});

describe('errors', () => {
  test('an unknown target is named', async () => {
    await expect(createNative('ldm.modules.attention.CrossAttentoin', {})).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_UNKNOWN_TARGET', message: expect.stringMatching(/CrossAttentoin/) }),
    );
  });
  test('a missing option is named', async () => {
    await expect(createNative(CROSS_ATTENTION, { query_dim: 4 })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(/heads|dim_head/) }),
    );
  });
  test('an unknown method is refused', async () => {
    using module = await attention();
    await expect(module.call('fly')).rejects.toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_METHOD' }));
  });
  test('an argument of another kind is named', async () => {
    using module = await attention();
    await expect(module.call('forward', { x: 'three' })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(/'?x'?.*tensor.*"three"/),
      }),
    );
  });
});
