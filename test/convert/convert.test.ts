/** Conversion of one tiny model of each family there and back, and what conversions do besides. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint, writeCheckpoint, writeSafetensors } from '../../lib/checkpoint';
import { toYaml } from '../../lib/config';
import { convertModel } from '../../lib/convert';
import { inspectFolder } from '../../lib/inspect';
import { instantiateFromConfig } from '../../lib/models';
import { loadModel } from '../../lib/models/load-model';
import type { Module } from '../../lib/models/module';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { FAMILIES } from './families';

const folder = useTempFolder();
const at = (...names: string[]) => path.join(folder(), ...names);

type Bytes = [name: string, dtype: string, shape: number[], hex: string];
async function bytesOf(file: string): Promise<Bytes[]> {
  using checkpoint = await readCheckpoint(file);
  const all: Bytes[] = [];
  for (const [name, tensor] of checkpoint.tensors) {
    const data = await tensor.tensor().data();
    all.push([
      name,
      tensor.dtype,
      [...tensor.shape],
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]);
  }
  return all;
}
const sorted = (all: Bytes[]) => [...all].sort(([a], [b]) => (a < b ? -1 : 1));

/** Writes model.ckpt and config.yaml of a fresh model; averages differ from the weights. */
async function write(model: any, extra: Record<string, unknown> = {}): Promise<Module> {
  const module = await instantiateFromConfig(model, { random: new Generator(4) });
  const state = await module.stateDict();
  for (const [name, tensor] of state) if (name.startsWith('model_ema.diffusion')) state.set(name, tensor.mul(0.5));
  await writeCheckpoint(at('model.ckpt'), { epoch: 3, global_step: 70, state_dict: state, ...extra });
  fs.writeFileSync(at('config.yaml'), toYaml({ model }));
  return module;
}

describe.each(Object.entries(FAMILIES))('%s', (_name, { model, pipeline, foreign }) => {
  test('to diffusers and back is the same file, bit for bit and in order', async () => {
    using module = await write(model);
    const report = await convertModel(at('model.ckpt'), at('folder'));
    expect(report).toMatchObject({ written: true, dropped: [], overflowed: [] });
    const index = at('folder', 'model_index.json');
    expect(fs.existsSync(index) ? JSON.parse(fs.readFileSync(index, 'utf8'))._class_name : null).toBe(pipeline);
    await convertModel(at('folder'), at('back.ckpt'));
    expect(await bytesOf(at('back.ckpt'))).toEqual(await bytesOf(at('model.ckpt')));
    using back = await readCheckpoint(at('back.ckpt'));
    expect(back).toMatchObject({ epoch: 3, globalStep: 70 });
    expect([...back.tensors.keys()]).toEqual([...(await module.stateDict()).keys()]);
    const { model: loaded } = await loadModel(at('back.yaml'), { checkpoint: at('back.ckpt') });
    loaded.dispose();
  });

  test('a folder as others write it gives the same weights and a config that fits them, or says what is missing', async () => {
    using module = await write(model);
    await convertModel(at('model.ckpt'), at('folder'));
    fs.rmSync(at('folder', 'ldm'), { recursive: true });
    fs.mkdirSync(at('out'));
    if (!foreign) {
      const refused = convertModel(at('folder'), at('out', 'model.ckpt'));
      await expect(refused).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringContaining('no text encoder'),
      });
      return;
    }
    await convertModel(at('folder'), at('out', 'model.ckpt'));
    const counters = (all: Bytes[]) => all.filter(([name]) => !/^model_ema\.(decay|num_updates)$/.test(name));
    const [found, wanted] = [await bytesOf(at('out', 'model.ckpt')), [...(await module.stateDict()).keys()]];
    expect(found.map(([name]) => name)).toEqual(wanted);
    expect(counters(found)).toEqual(counters(await bytesOf(at('model.ckpt'))));
    const { model: loaded } = await loadModel(at('out', 'config.yaml'));
    expect([...(await loaded.stateDict()).keys()]).toEqual(wanted);
    loaded.dispose();
  });

  test('to safetensors and back is the same file', async () => {
    using _ = await write(model);
    await convertModel(at('model.ckpt'), at('a.safetensors'));
    await convertModel(at('a.safetensors'), at('back.ckpt'));
    expect(await bytesOf(at('back.ckpt'))).toEqual(await bytesOf(at('model.ckpt')));
    using back = await readCheckpoint(at('back.ckpt'));
    expect(back).toMatchObject({ epoch: 3, globalStep: 70 });
  });
});

describe('weights', () => {
  const { model } = FAMILIES['unconditional latent diffusion with averages'];
  const hexOf = async (file: string, name: string) => (await bytesOf(file)).find(([n]) => n === name)?.[3];
  const WEIGHT = 'model.diffusion_model.out.2.bias';
  const AVERAGE = 'model_ema.diffusion_modelout2bias';
  const optimizers = {
    optimizer_states: [
      { state: { 0: { step: 2, exp_avg: Tensor.ones([1]) } }, param_groups: [{ lr: 1, params: [0] }] },
    ],
  };

  test.each([
    ['--ema', { ema: true }, AVERAGE],
    ['--prune', { prune: true }, AVERAGE],
    ['--no-ema', { ema: false }, WEIGHT],
    ['--prune --no-ema', { prune: true, ema: false }, WEIGHT],
  ])('%s', async (_name, options, chosen) => {
    using _ = await write(model, optimizers);
    await convertModel(at('model.ckpt'), at('a.ckpt'), options);
    const all = await bytesOf(at('a.ckpt'));
    expect(all.some(([name]) => name.startsWith('model_ema.'))).toBe(false);
    expect(await hexOf(at('a.ckpt'), WEIGHT)).toBe(await hexOf(at('model.ckpt'), chosen));
    using checkpoint = await readCheckpoint(at('a.ckpt'));
    expect(checkpoint.optimizerStates).toHaveLength('prune' in options ? 0 : 1);
  });

  test('without a wish everything is kept, optimizer states too', async () => {
    using _ = await write(model, optimizers);
    await convertModel(at('model.ckpt'), at('a.ckpt'));
    expect(await bytesOf(at('a.ckpt'))).toEqual(await bytesOf(at('model.ckpt')));
    using checkpoint = await readCheckpoint(at('a.ckpt'));
    expect(checkpoint.optimizerStates[0].param_groups).toEqual([{ lr: 1, params: [0] }]);
    expect(await (checkpoint.optimizerStates[0].state[0].exp_avg as Tensor).toArray()).toEqual([1]);
  });

  test('averages that are not there are refused', async () => {
    using _ = await write(FAMILIES['KL autoencoder'].model);
    await expect(convertModel(at('model.ckpt'), at('a.ckpt'), { ema: true })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT',
      message: expect.stringContaining('no moving averages'),
    });
  });

  test('half: weights in float16, the schedule in float32; too large values are reported', async () => {
    const state = new Map([
      ['w.weight', Tensor.from([1, 70_000, -3], [3])],
      ['betas', Tensor.from([0.1], [1])],
      ['count', Tensor.from([5], [1]).to({ dtype: 'int64' })],
    ]);
    await writeSafetensors(at('a.safetensors'), state);
    const report = await convertModel(at('a.safetensors'), at('b.safetensors'), { dtype: 'float16' });
    expect(report.overflowed).toEqual([{ name: 'w.weight', values: 1 }]);
    using checkpoint = await readCheckpoint(at('b.safetensors'));
    const dtypes = Object.fromEntries([...checkpoint.tensors].map(([name, { dtype }]) => [name, dtype]));
    expect(dtypes).toEqual({ 'w.weight': 'float16', betas: 'float32', count: 'int64' });
    expect(await checkpoint.stateDict.get('w.weight')!.toArray()).toEqual([1, Number.POSITIVE_INFINITY, -3]);
  });
});

describe('folders', () => {
  const KL = FAMILIES['KL autoencoder'].model;
  const weights = () => at('folder', 'diffusion_pytorch_model.safetensors');
  const folderOf = async (model: any) => {
    using _ = await write(model);
    await convertModel(at('model.ckpt'), at('folder'));
    return bytesOf(at('model.ckpt'));
  };

  test('the older names of attention layers are read', async () => {
    const wanted = await folderOf(KL);
    const older = (name: string) =>
      name
        .replace('.to_q.', '.query.')
        .replace('.to_k.', '.key.')
        .replace('.to_v.', '.value.')
        .replace('.to_out.0.', '.proj_attn.');
    {
      using checkpoint = await readCheckpoint(weights());
      const renamed = new Map([...checkpoint.stateDict].map(([name, tensor]) => [older(name), tensor]));
      expect([...renamed.keys()].filter((name) => name.includes('proj_attn')).length).toBeGreaterThan(3);
      await writeSafetensors(at('folder', 'new.safetensors'), renamed);
    }
    fs.renameSync(at('folder', 'new.safetensors'), weights());
    await convertModel(at('folder'), at('back.ckpt'));
    expect(await bytesOf(at('back.ckpt'))).toEqual(wanted);
  });

  test('several files with an index, and torch files, are read', async () => {
    const wanted = await folderOf(KL);
    {
      using checkpoint = await readCheckpoint(weights());
      const all = [...checkpoint.stateDict];
      const parts = [new Map(all.slice(0, 20)), new Map(all.slice(20))];
      const map: Record<string, string> = {};
      for (const [i, part] of parts.entries()) {
        const name = `diffusion_pytorch_model-0000${i + 1}-of-00002.bin`;
        await writeCheckpoint(at('folder', name), { state_dict: part });
        for (const key of part.keys()) map[key] = name;
      }
      fs.writeFileSync(at('folder', 'diffusion_pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }));
    }
    fs.rmSync(weights());
    await convertModel(at('folder'), at('back.ckpt'));
    expect(sorted(await bytesOf(at('back.ckpt')))).toEqual(sorted(wanted));
  });

  test.each(['../secret.safetensors', '/etc/passwd', '.hidden'])('an index that names %s is refused', async (name) => {
    await folderOf(KL);
    fs.rmSync(weights());
    const index = { weight_map: { a: name } };
    fs.writeFileSync(at('folder', 'diffusion_pytorch_model.safetensors.index.json'), JSON.stringify(index));
    await expect(convertModel(at('folder'), at('a.ckpt'))).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT',
      message: expect.stringContaining('expected one beside the index'),
    });
  });

  test('a variant is chosen, or taken when it is the only one', async () => {
    await folderOf(KL);
    fs.renameSync(weights(), at('folder', 'diffusion_pytorch_model.fp16.safetensors'));
    const report = await convertModel(at('folder'), at('a.ckpt'));
    expect(report.notes.join()).toContain('variant fp16 only');
    await convertModel(at('folder'), at('b.ckpt'), { variant: 'fp16' });
    await expect(convertModel(at('folder'), at('c.ckpt'), { variant: 'ema' })).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringContaining('there are the variants fp16'),
    });
  });

  test('a network that diffusers does not have is refused with every reason', async () => {
    const { model } = FAMILIES['unconditional latent diffusion with averages'];
    const unet = {
      ...model.params.unet_config.params,
      num_head_channels: -1,
      num_heads: 2,
      attention_resolutions: [1, 2],
    };
    const other = { ...model, params: { ...model.params, unet_config: { ...model.params.unet_config, params: unet } } };
    using _ = await write(other);
    await expect(convertModel(at('model.ckpt'), at('folder'))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('heads of 16, 32 channels; UNet2DModel has one size'),
    });
    expect(fs.existsSync(at('folder'))).toBe(false);
  });

  test('a config.json that the reference could not follow is refused', async () => {
    await folderOf(KL);
    fs.rmSync(at('folder', 'ldm'), { recursive: true });
    const json = JSON.parse(fs.readFileSync(at('folder', 'config.json'), 'utf8'));
    fs.writeFileSync(at('folder', 'config.json'), JSON.stringify({ ...json, act_fn: 'gelu', norm_num_groups: 16 }));
    await expect(convertModel(at('folder'), at('a.ckpt'))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/act_fn is "gelu"[\s\S]*norm_num_groups is 16/),
    });
  });

  test('nothing is replaced without force, and a folder of something else not even then', async () => {
    await folderOf(KL);
    await expect(convertModel(at('model.ckpt'), at('folder'))).rejects.toMatchObject({ code: 'ERR_FILE' });
    await convertModel(at('model.ckpt'), at('folder'), { force: true });
    fs.mkdirSync(at('other'));
    fs.writeFileSync(at('other', 'precious.txt'), 'x');
    await expect(convertModel(at('model.ckpt'), at('other'), { force: true })).rejects.toMatchObject({
      code: 'ERR_FILE',
    });
    expect(fs.readdirSync(at('other'))).toEqual(['precious.txt']);
    const left = fs.readdirSync(folder()).filter((name) => name.startsWith('.'));
    expect(left).toEqual([]);
  });

  test('a folder is inspected', async () => {
    using _ = await write(FAMILIES['text with BERT'].model);
    await convertModel(at('model.ckpt'), at('folder'));
    const { pipeline, parts } = await inspectFolder(at('folder'));
    expect(pipeline).toBe('LDMTextToImagePipeline');
    const classes = Object.fromEntries(parts.map(({ folder: name, className }) => [name, className]));
    expect(classes).toEqual({
      bert: 'LDMBertModel',
      scheduler: 'DDIMScheduler',
      unet: 'UNet2DConditionModel',
      vqvae: 'AutoencoderKL',
    });
    expect(parts.find(({ folder: name }) => name === 'bert')).toMatchObject({ tensors: 32, variants: [''] });
  });

  test('a rehearsal writes nothing', async () => {
    using _ = await write(KL);
    const report = await convertModel(at('model.ckpt'), at('folder'), { dryRun: true });
    expect(report.written).toBe(false);
    expect(fs.existsSync(at('folder'))).toBe(false);
  });
});
