/** From files into modules: strictness, ignored keys, wrappers' prefixes, casts, moving averages. */
import path from 'node:path';
import { loadInto, writeCheckpoint, writeSafetensors } from '../../lib/checkpoint';
import { createNative, Module } from '../../lib/models/module';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';

const folder = useTempFolder();
const VALUES = [
  [1, 2],
  [3, 4],
  [5, 6],
];

/** A small module with the one key `embedding.weight` [3, 2]. */
async function embedder(): Promise<Module> {
  const params = { embed_dim: 2, n_classes: 3, key: 'class' };
  return new Module(await createNative('ldm.modules.encoders.modules.ClassEmbedder', params, { init: 'empty' }));
}
const weightOf = async (module: Module) => (await module.stateDict()).get('embedding.weight')!.toArray();

async function file(tensors: Record<string, Tensor>, name = 'a.ckpt'): Promise<string> {
  const target = path.join(folder(), name);
  const map = new Map(Object.entries(tensors));
  if (name.endsWith('.safetensors')) await writeSafetensors(target, map);
  else await writeCheckpoint(target, { state_dict: map });
  return target;
}

test.each(['a.ckpt', 'a.safetensors'])('%s', async (name) => {
  using module = await embedder();
  const report = await loadInto(module, await file({ 'embedding.weight': Tensor.from(VALUES) }, name));
  expect(report).toEqual({ missing: [], unexpected: [], mismatched: [] });
  expect(await weightOf(module)).toEqual(VALUES);
});

test.each(['float16', 'bfloat16', 'float64', 'int64'] as const)(
  '%s is cast to the dtype of the model',
  async (dtype) => {
    using module = await embedder();
    await loadInto(module, await file({ 'embedding.weight': Tensor.from(VALUES).to({ dtype }) }));
    expect(await weightOf(module)).toEqual(VALUES);
    expect((await module.stateDict()).get('embedding.weight')!.dtype).toBe('float32');
  },
);

test('a strict load names what does not fit and changes nothing', async () => {
  using module = await embedder();
  await loadInto(module, await file({ 'embedding.weight': Tensor.from(VALUES) }));
  const wrong = await file({ other: Tensor.ones([1]), 'embedding.weight': Tensor.ones([2, 2]) });
  await expect(loadInto(module, wrong)).rejects.toMatchObject({
    code: 'ERR_MISSING_KEYS',
    message: expect.stringMatching(/other[\s\S]*embedding\.weight \(model \[3,2\], file \[2,2\]\)/),
  });
  await expect(loadInto(module, await file({ other: Tensor.ones([1]) }))).rejects.toMatchObject({
    message: expect.stringMatching(/missing \(1\): embedding\.weight/),
  });
  expect(await weightOf(module)).toEqual(VALUES);
});

test('without strict, what is missing and what is left over is reported', async () => {
  using module = await embedder();
  const source = await file({ other: Tensor.ones([1]) });
  expect(await loadInto(module, source, { strict: false })).toEqual({
    missing: ['embedding.weight'],
    unexpected: ['other'],
    mismatched: [],
  });
});

test('keys are ignored by prefix', async () => {
  using module = await embedder();
  const source = await file({ 'embedding.weight': Tensor.from(VALUES), 'loss.a': Tensor.ones([1]) });
  await expect(loadInto(module, source)).rejects.toMatchObject({ code: 'ERR_MISSING_KEYS' });
  await loadInto(module, source, { ignoreKeys: ['loss'] });
  expect(await weightOf(module)).toEqual(VALUES);
});

test.each(['module.', 'model.'])('the prefix %s of a wrapper is taken off', async (prefix) => {
  using module = await embedder();
  await loadInto(module, await file({ [`${prefix}embedding.weight`]: Tensor.from(VALUES) }));
  expect(await weightOf(module)).toEqual(VALUES);
});

test('moving averages take the place of the weights', async () => {
  using module = await embedder();
  const source = await file({
    'model.embedding.weight': Tensor.zeros([3, 2]),
    'model_ema.embeddingweight': Tensor.from(VALUES),
    'model_ema.decay': Tensor.full([], 0.9999),
  });
  await loadInto(module, source, { ema: true });
  expect(await weightOf(module)).toEqual(VALUES);
  const plain = await file({ 'embedding.weight': Tensor.from(VALUES) }, 'plain.ckpt');
  await expect(loadInto(module, plain, { ema: true })).rejects.toMatchObject({ code: 'ERR_CHECKPOINT' });
});
