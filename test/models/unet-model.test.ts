import type { UNetModelParams } from '../../lib/config/targets/unets';
import { noGrad } from '../../lib/job';
import { EncoderUNetModel } from '../../lib/models/encoder-unet-model';
import { UNetModel } from '../../lib/models/unet-model';
import { Generator, Recorder } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

const SHAPE = {
  image_size: 8,
  in_channels: 4,
  out_channels: 4,
  model_channels: 32,
  num_res_blocks: 1,
  attention_resolutions: [2],
  channel_mult: [1, 2],
  num_heads: 2,
};
const CONTEXT = { use_spatial_transformer: true, context_dim: 24 };

const create = (options: Partial<UNetModelParams> = {}) =>
  UNetModel.create({ ...SHAPE, ...options }, { random: new Generator(1) });
const t = (...steps: number[]) => Tensor.from(BigInt64Array.from(steps, BigInt));
const x = () => Tensor.randn([2, 4, 8, 8], { seed: 2 });
const context = () => Tensor.randn([2, 5, 24], { seed: 3 });
const invalid = (text: RegExp) =>
  expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(text) });

/** Replaces the zeros of fresh output layers, behind which nothing else matters. */
async function stir(unet: UNetModel): Promise<UNetModel> {
  const random = new Generator(4);
  const state = [...(await unet.stateDict())];
  await unet.loadStateDict(
    new Map(state.map(([name, p]) => [name, p.add(Tensor.randn(p.shape, { random }).mul(0.05))])),
  );
  return unet;
}

async function largest(tensor: Tensor): Promise<number> {
  return tensor.abs().max().item();
}

test('a fresh U-Net predicts zero', async () => {
  using unet = await create();
  const out = await noGrad(async () => unet.forward(x(), t(1, 999)));
  expect(out.shape).toEqual([2, 4, 8, 8]);
  expect(await largest(out)).toBe(0);
});

test('the same seed gives the same weights', async () => {
  using a = await create();
  using b = await create();
  const other = await b.stateDict();
  for (const [name, tensor] of await a.stateDict()) expect(await largest(tensor.sub(other.get(name)!))).toBe(0);
});

test('timesteps may be fractional, and matter', async () => {
  using unet = await stir(await create({ model_channels: 64 }));
  const at = (step: number) => noGrad(() => unet.forward(x(), Tensor.full([2], step)));
  const [a, b, c] = await Promise.all([at(10), at(10.5), at(11)]);
  expect(await largest(a.sub(b))).toBeGreaterThan(1e-4);
  expect(await largest(b.sub(c))).toBeGreaterThan(1e-4);
  const integers = await noGrad(() => unet.forward(x(), t(10, 10)));
  expect(await largest(integers.sub(a))).toBe(0);
});

describe('gradients', () => {
  async function gradients(options: Partial<UNetModelParams>) {
    const unet = await stir(await create({ ...CONTEXT, ...options }));
    const input = x().requiresGrad_(true);
    const tokens = context().requiresGrad_(true);
    const out = await unet.forward(input, t(3, 977), { context: tokens });
    await out.mul(out).mean().backward();
    const all = new Map<string, Tensor | null>([
      ['x', await input.grad()],
      ['context', await tokens.grad()],
    ]);
    for (const [name, p] of await unet.namedParameters()) all.set(name, await p.grad());
    unet.dispose();
    return all;
  }

  test('use_checkpoint changes no gradient', async () => {
    const kept = await gradients({ use_checkpoint: false });
    const recomputed = await gradients({ use_checkpoint: true });
    expect([...recomputed.keys()]).toEqual([...kept.keys()]);
    for (const [name, gradient] of kept) {
      if (!gradient) throw new Error(`${name} got no gradient`);
      const difference = await largest(gradient.sub(recomputed.get(name)!));
      // some of these gradients are zero but for rounding
      expect(difference).toBeLessThanOrEqual(1e-5 * (await largest(gradient)) + 1e-7);
    }
  });

  test('frozen parameters get none, and the input still does', async () => {
    for (const use_checkpoint of [false, true]) {
      using unet = await stir(await create({ use_checkpoint }));
      await unet.call('requiresGrad', { on: false });
      const input = x().requiresGrad_(true);
      const out = await unet.forward(input, t(3, 977));
      await out.sum().backward();
      for (const p of (await unet.namedParameters()).values()) expect(await p.grad()).toBeNull();
      expect(await largest((await input.grad())!)).toBeGreaterThan(0);
    }
  });

  test('the fused attention without gradients agrees with the plain one', async () => {
    using unet = await stir(await create(CONTEXT));
    const conditions = { context: context() };
    const plain = await unet.forward(x(), t(3, 977), conditions);
    const fused = await noGrad(() => unet.forward(x(), t(3, 977), conditions));
    expect(await largest(plain.sub(fused))).toBeLessThan(1e-5 * (await largest(plain)) + 1e-6);
  });
});

test('dropout draws one mask per residual block while training, none afterwards', async () => {
  using unet = await create({ dropout: 0.5 });
  const masks = async () => {
    const recorder = new Recorder(new Generator(5));
    await (await unet.forward(x(), t(1, 2), {}, { random: recorder })).ready();
    return (await recorder.tape()).map((item) => item.kind);
  };
  // 2 levels x 1 block going down, 2 in the middle, 2 levels x 2 blocks going up
  expect(await masks()).toEqual(Array(8).fill('keepmask'));
  await unet.eval();
  expect(await masks()).toEqual([]);
});

describe('options', () => {
  test.each<[string, Partial<UNetModelParams>, number[], number[]]>([
    ['dims 1', { dims: 1 }, [2, 4, 16], [2, 4, 16]],
    ['dims 3', { dims: 3 }, [2, 4, 3, 4, 4], [2, 4, 3, 4, 4]],
    ['resblock_updown', { resblock_updown: true }, [2, 4, 8, 12], [2, 4, 8, 12]],
    ['n_embed', { n_embed: 12 }, [2, 4, 8, 8], [2, 12, 8, 8]],
    ['in and out channels', { in_channels: 7, out_channels: 3 }, [1, 7, 4, 4], [1, 3, 4, 4]],
  ])('%s', async (_name, options, shape, expected) => {
    using unet = await create(options);
    const out = await unet.forward(Tensor.zeros(shape), t(...Array(shape[0]).fill(1)));
    expect(out.shape).toEqual(expected);
  });

  test('what does not fit together is refused', async () => {
    await expect(create({ channel_mult: [2, 4] })).rejects.toThrow(/channel_mult/);
    await expect(create({ num_heads: 5 })).rejects.toThrow(invalid(/num_heads/));
    await expect(create({ num_head_channels: 48 })).rejects.toThrow(invalid(/num_head_channels/));
    await expect(create({ context_dim: 24 })).rejects.toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});

describe('inputs that do not fit', () => {
  test('channels, labels, context', async () => {
    using plain = await create();
    using labelled = await create({ num_classes: 10 });
    using attending = await create(CONTEXT);
    const steps = t(1, 2);
    await expect(plain.forward(Tensor.zeros([2, 3, 8, 8]), steps)).rejects.toThrow(
      invalid(/\[n, 4, ...\].*\[2, 3, 8, 8\]/),
    );
    await expect(plain.forward(x(), steps, { y: t(1, 2) })).rejects.toThrow(invalid(/no num_classes/));
    await expect(labelled.forward(x(), steps)).rejects.toThrow(invalid(/class labels 'y'/));
    await expect(labelled.forward(x(), steps, { y: t(1) })).rejects.toThrow(invalid(/shape \[2\]/));
    await expect(attending.forward(x(), steps)).rejects.toThrow(invalid(/no context/));
    await expect(attending.forward(x(), steps, { context: Tensor.zeros([2, 5, 8]) })).rejects.toThrow(
      invalid(/tokens, 24/),
    );
    await expect(plain.forward(x(), steps.reshape(2, 1))).rejects.toThrow(invalid(/shape \[n\]/));
  });
});

test('class labels matter and have to exist', async () => {
  using unet = await stir(await create({ num_classes: 10, model_channels: 64 }));
  const of = (...labels: number[]) => noGrad(() => unet.forward(x(), t(1, 2), { y: t(...labels) }));
  const [a, b] = await Promise.all([of(0, 1), of(0, 2)]);
  expect(await largest(a.select(0, 0).sub(b.select(0, 0)))).toBe(0);
  expect(await largest(a.select(0, 1).sub(b.select(0, 1)))).toBeGreaterThan(1e-4);
  await expect(of(0, 10)).rejects.toThrow(expect.objectContaining({ code: 'ERR_TORCH' }));
});

test.each(['adaptive', 'attention', 'spatial', 'spatial_v2'] as const)('classifier with %s pooling', async (pool) => {
  using classifier = await EncoderUNetModel.create({
    ...SHAPE,
    num_heads: 1,
    num_head_channels: 16,
    out_channels: 6,
    pool,
  });
  const logits = await classifier.forward(x(), t(1, 2));
  expect(logits.shape).toEqual([2, 6]);
});
