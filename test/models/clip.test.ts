import { LdmError } from '../../lib/errors';
import { CLIP, FrozenCLIPTextEmbedder, FrozenClipImageEmbedder } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { difference, images } from '../helpers/tiny-autoencoder';
import { tinyLatentDiffusion } from '../helpers/tiny-diffusion';

/** A CLIP of one layer; its vocabulary is the published one. */
const version = {
  embed_dim: 16,
  image_resolution: 16,
  vision_layers: 1,
  vision_width: 64,
  vision_patch_size: 8,
  context_length: 8,
  vocab_size: 49408,
  transformer_width: 64,
  transformer_heads: 1,
  transformer_layers: 1,
};
const seeded = () => ({ random: new Generator(4) });
const norms = (z: Tensor) => z.mul(z).sum(-1);

test('own parameters come first, then image side and text side', async () => {
  using model = await CLIP.create(version, { init: 'empty' });
  const keys = [...(await model.stateDict()).keys()];
  expect(keys.slice(0, 4)).toEqual([
    'positional_embedding',
    'text_projection',
    'logit_scale',
    'visual.class_embedding',
  ]);
  expect(keys.at(-1)).toBe('ln_final.bias');
});

test('what stands after the end of a text does not count', async () => {
  using model = await CLIP.create(version, seeded());
  const tokens = (last: bigint) => Tensor.from(BigInt64Array.of(49406n, 320n, 2368n, 49407n, 0n, 0n, 0n, last), [1, 8]);
  expect(await difference(await model.encodeText(tokens(0n)), await model.encodeText(tokens(9n)))).toBeLessThan(1e-6);
});

test('a text embedding has length 1 and is repeated as context', async () => {
  using embedder = await FrozenCLIPTextEmbedder.create({ version, n_repeat: 3 }, seeded());
  const z = await embedder.forward(['a cat', 'a dog']);
  expect(z.shape).toEqual([2, 16]);
  expect(await difference(norms(z), Tensor.ones([2]))).toBeLessThan(1e-5);
  const c = await embedder.encode(embedder.tokenizer.encode(['a cat', 'a dog']));
  expect(c.shape).toEqual([2, 3, 16]);
  expect(await difference(c.slice(1, 2, 3), z.unsqueeze(1))).toBe(0);
  await expect(embedder.encode('one two three four five six seven')).rejects.toThrow(/at most 6 tokens/);
});

test('without normalize it has the length that CLIP gives it', async () => {
  using embedder = await FrozenCLIPTextEmbedder.create({ version, normalize: false }, seeded());
  using model = await CLIP.create(version, seeded());
  const tokens = embedder.tokenizer.encode('a cat');
  expect(await difference(await embedder.forward(tokens), await model.encodeText(tokens))).toBe(0);
});

test('an image of the right size is only normalised', async () => {
  using embedder = await FrozenClipImageEmbedder.create({ model: version }, seeded());
  const image = Tensor.zeros([1, 3, 16, 16]);
  const channel = await embedder.preprocess(image);
  const expected = [(0.5 - 0.48145466) / 0.26862954, (0.5 - 0.4578275) / 0.26130258, (0.5 - 0.40821073) / 0.27577711];
  const means = Tensor.from(expected, [1, 3, 1, 1]).add(Tensor.zeros([1, 3, 16, 16]));
  expect(await difference(channel, means)).toBeLessThan(1e-6);
  expect((await embedder.encode(image)).shape).toEqual([1, 16]);
});

test('resizing keeps the corners; antialias blurs what becomes smaller, not what becomes larger', async () => {
  using sharp = await FrozenClipImageEmbedder.create({ model: version }, seeded());
  using soft = await FrozenClipImageEmbedder.create({ model: version, antialias: true }, seeded());
  const corner = (t: Tensor) => t.slice(2, 0, 1).slice(3, 0, 1);
  const large = images([1, 3, 64, 48]);
  const small = images([1, 3, 8, 9]);
  const expected = await sharp.preprocess(corner(large).add(Tensor.zeros([1, 3, 16, 16])));
  expect(await difference(corner(await sharp.preprocess(large)), corner(expected))).toBeLessThan(1e-5);
  const contrast = async (t: Tensor) => norms(t.sub(t.mean())).sum().item();
  expect(await contrast(await soft.preprocess(large))).toBeLessThan(
    0.5 * (await contrast(await sharp.preprocess(large))),
  );
  expect(await difference(await soft.preprocess(small), await sharp.preprocess(small))).toBe(0);
});

test('a diffusion model takes texts through CLIP', async () => {
  using ldm = await tinyLatentDiffusion({
    cond_stage_config: { target: FrozenCLIPTextEmbedder.target, params: { version } },
    cond_stage_key: 'caption',
    cond_stage_trainable: false,
    use_ema: false,
  } as never);
  expect((await ldm.getLearnedConditioning(['a cat', ''])).shape).toEqual([2, 1, 16]);
});

test.each([
  ['an unknown model', () => FrozenCLIPTextEmbedder.create({ version: 'RN50' as never })],
  ['a text of another length', async () => (await CLIP.create(version)).encodeText(Tensor.zeros([1, 7]))],
  ['an image of another size', async () => (await CLIP.create(version)).encodeImage(Tensor.zeros([1, 3, 8, 8]))],
  ['heads that do not divide the width', () => CLIP.create({ ...version, transformer_heads: 5 })],
])('%s is refused', async (_, run) => {
  await expect(run()).rejects.toThrow(LdmError);
});
