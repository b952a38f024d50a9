/** What loads into Stable Diffusion's models, and how they store weights. */
import { writeSafetensors } from '../../lib/checkpoint';
import type { LatentDiffusionParams } from '../../lib/config/targets/diffusion';
import { noGrad } from '../../lib/job';
import { FrozenCLIPEmbedder, FrozenOpenCLIPEmbedder, LatentDiffusion, LatentInpaintDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { DDIMSampler } from '../../lib/sampling';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { tinyUnet } from '../helpers/tiny-diffusion';

const folder = useTempFolder();
const SIZES = {
  vocab_size: 49408,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
};
const CLIP = 'ldm.modules.encoders.modules.FrozenCLIPEmbedder';
const IDS = 'transformer.text_model.embeddings.position_ids';

function params(overrides: Record<string, unknown> = {}, unet: Record<string, unknown> = {}): LatentDiffusionParams {
  return {
    unet_config: tinyUnet({ in_channels: 4, out_channels: 4, use_spatial_transformer: true, context_dim: 32, ...unet }),
    first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} },
    cond_stage_config: { target: CLIP, params: { version: SIZES } },
    conditioning_key: 'crossattn',
    first_stage_key: 'jpg',
    cond_stage_key: 'txt',
    timesteps: 50,
    image_size: 8,
    channels: 4,
    use_ema: false,
    ...overrides,
  } as LatentDiffusionParams;
}

const numbers = async (tensor: Tensor): Promise<number[]> => Array.from((await tensor.data()) as Float32Array);

describe('FrozenCLIPEmbedder', () => {
  test('gives the states of all tokens, those after the end of a text included', async () => {
    using model = await FrozenCLIPEmbedder.create({ version: SIZES, max_length: 8 }, { random: new Generator(1) });
    const c = await noGrad(() => model.encode(['a cat', 'a cat, a dog, a bird, a horse and two more animals']));
    expect(c.shape).toEqual([2, 8, 32]);
    // No token sees a later one: the first two states are those of the same two tokens.
    const [first, second] = [
      await numbers(c.select(0, 0).slice(0, 0, 2)),
      await numbers(c.select(0, 1).slice(0, 0, 2)),
    ];
    expect(first).toEqual(second);
  });

  test('takes files without the constant position_ids, and with them as floats', async () => {
    using model = await FrozenCLIPEmbedder.create({ version: SIZES }, { random: new Generator(1) });
    const state = await model.stateDict();
    expect(state.get(IDS)!.dtype).toBe('int64');
    state.set(IDS, Tensor.arange(77).reshape(1, 77).to({ dtype: 'float32' }));
    await model.loadStateDict(state);
    state.delete(IDS);
    const report = await model.loadStateDict(state);
    expect(report.missing).toEqual([]);
    expect(await numbers((await model.stateDict()).get(IDS)!.to({ dtype: 'float32' }))).toEqual([...Array(77).keys()]);
  });

  test('takes the names that transformers 5 gives its text model', async () => {
    using model = await FrozenCLIPEmbedder.create({ version: SIZES }, { random: new Generator(1) });
    using other = await FrozenCLIPEmbedder.create({ version: SIZES }, { random: new Generator(2) });
    const flat = [...(await model.stateDict())].map(([name, t]) => [name.replace('.text_model.', '.'), t] as const);
    await other.loadStateDict(new Map(flat));
    const encode = (m: FrozenCLIPEmbedder) => noGrad(() => m.encode('a red fox'));
    expect(await numbers(await encode(other))).toEqual(await numbers(await encode(model)));
  });

  test.each([
    [{ layer: 'hidden' }, 'layer_idx'],
    [{ version: SIZES, max_length: 78 }, 'max_position_embeddings'],
    [{ version: 'openai/clip-vit-huge' }, 'openai/clip-vit-large-patch14'],
  ])('refuses %j', async (wrong, message) => {
    await expect(FrozenCLIPEmbedder.create(wrong as never)).rejects.toThrow(message);
  });
});

test('FrozenOpenCLIPEmbedder: penultimate leaves the last layer out', async () => {
  const arch = { embed_dim: 16, width: 32, heads: 2, layers: 2, context_length: 9 };
  using all = await FrozenOpenCLIPEmbedder.create({ arch, layer: 'penultimate' }, { random: new Generator(1) });
  using one = await FrozenOpenCLIPEmbedder.create({ arch: { ...arch, layers: 1 } }, { random: new Generator(2) });
  await one.loadStateDict(await all.stateDict(), { strict: false });
  const encode = (m: FrozenOpenCLIPEmbedder) => noGrad(() => m.encode(['a red fox', '']));
  expect(await numbers(await encode(all))).toEqual(await numbers(await encode(one)));
});

test('compact weights of a half precision file give the numbers of float32 ones', async () => {
  using model = await LatentDiffusion.create(params(), { random: new Generator(1) });
  const half = [...(await model.stateDict())].map(([name, t]) => [
    name,
    t.dtype === 'float32' ? t.to({ dtype: 'float16' }) : t,
  ]);
  const file = `${folder()}/half.safetensors`;
  await writeSafetensors(file, new Map(half as [string, Tensor][]));
  await model.initFromCkpt(file);
  await model.eval();

  using compact = await LatentDiffusion.create(params(), { init: 'empty' });
  await compact.compact('float16', { keep: false });
  await compact.initFromCkpt(file);
  await compact.eval();
  const dtypes = new Set([...(await compact.stateDict()).values()].map((t) => t.dtype));
  expect(dtypes).toEqual(new Set(['float16', 'float32', 'int64']));

  const sample = async (m: LatentDiffusion) => {
    const conditioning = await m.getLearnedConditioning(['a red fox']);
    return (await new DDIMSampler(m).sample({ steps: 2, conditioning, random: new Generator(5) })).samples;
  };
  expect(await numbers(await sample(compact))).toEqual(await numbers(await sample(model)));
});

describe('checkpoints that do not fit', () => {
  test('make_it_fit repeats input channels and divides by how often each is used, plus one', async () => {
    using small = await LatentDiffusion.create(params(), { random: new Generator(1) });
    const file = `${folder()}/four.safetensors`;
    await writeSafetensors(file, await small.stateDict());
    const wide = params({ ckpt_path: file, make_it_fit: true }, { in_channels: 9 });
    using model = await LatentDiffusion.create(wide, { random: new Generator(2) });
    const key = 'model.diffusion_model.input_blocks.0.0.weight';
    const [old, fit] = [(await small.stateDict()).get(key)!, (await model.stateDict()).get(key)!];
    expect(fit.shape).toEqual([32, 9, 3, 3]);
    // channel 0 is used three times (0, 4, 8), channel 5 twice (as 1)
    const expected = await numbers(old.select(1, 1).div(3));
    expect(await numbers(fit.select(1, 5))).toEqual(expected);
    expect(await numbers(fit.select(1, 8))).toEqual(await numbers(old.select(1, 0).div(4)));
  });

  test('an inpainting model begins with zeros for the channels that its text-to-image model lacks', async () => {
    using small = await LatentDiffusion.create(params(), { random: new Generator(1) });
    const file = `${folder()}/four.safetensors`;
    await writeSafetensors(file, await small.stateDict());
    const wide = params({ ckpt_path: file, conditioning_key: 'hybrid' }, { in_channels: 9 });
    using model = await LatentInpaintDiffusion.create(wide as never, { random: new Generator(2) });
    const key = 'model.diffusion_model.input_blocks.0.0.weight';
    const fit = (await model.stateDict()).get(key)!;
    expect(await numbers(fit.slice(1, 0, 4))).toEqual(await numbers((await small.stateDict()).get(key)!));
    expect(await fit.slice(1, 4, 9).abs().sum().item()).toBe(0);
  });

  test('reset_ema begins the averages with the weights of the file', async () => {
    using small = await LatentDiffusion.create(params(), { random: new Generator(1) });
    const file = `${folder()}/weights.safetensors`;
    await writeSafetensors(file, await small.stateDict());
    const options = { use_ema: true, ckpt_path: file, reset_ema: true };
    using model = await LatentDiffusion.create(params(options), { random: new Generator(2) });
    const state = await model.stateDict();
    const weight = await numbers(state.get('model.diffusion_model.out.0.bias')!);
    expect(await numbers(state.get('model_ema.diffusion_modelout0bias')!)).toEqual(weight);
    expect(weight).toEqual(await numbers((await small.stateDict()).get('model.diffusion_model.out.0.bias')!));
  });
});

describe('ucg_training', () => {
  const batch = (texts: string[]) => ({ jpg: Tensor.zeros([texts.length, 8, 8, 4]), txt: texts });
  const step = { batchIdx: 0, globalStep: 0, log: true, step: false, accumulate: 1 };

  test('texts become empty with their probability, before the network sees them', async () => {
    const rules = { ucg_training: { txt: { p: 1, val: null } } };
    using dropping = await LatentDiffusion.create(params(rules), { random: new Generator(1) });
    using plain = await LatentDiffusion.create(params(), { random: new Generator(1) });
    const losses: number[] = [];
    for (const [model, texts] of [
      [dropping, ['a cat', 'a dog']],
      [plain, ['', '']],
    ] as const) {
      await model.configureOptimizers({ learningRate: 1e-4 });
      // The chances come from the run's own stream: draw as many from the other one.
      using random = new Generator(3);
      if (model === plain) Tensor.rand([2], { random }).dispose();
      const { log } = await model.trainBatch({ ...step, batch: batch([...texts]) }, { random });
      losses.push(log['train/loss']);
    }
    expect(losses[0]).toBe(losses[1]);
  });

  test('a key that is not in the batch is an error', async () => {
    const rules = { ucg_training: { caption: { p: 0.1, val: '' } } };
    using model = await LatentDiffusion.create(params(rules), { random: new Generator(1) });
    await model.configureOptimizers({ learningRate: 1e-4 });
    await expect(model.trainBatch({ ...step, batch: batch(['a']) })).rejects.toThrow("under 'caption' of the batch");
  });
});
