import path from 'node:path';
import { writeSafetensors } from '../../lib/checkpoint';
import { noGrad } from '../../lib/job';
import { LatentDiffusion, VQModel, VQModelInterface } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { changed, snapshot } from '../helpers/model-changes';
import { useTempFolder } from '../helpers/temp-folder';
import {
  ddconfig,
  difference,
  images,
  numbers,
  tinyVq,
  tinyVqModel,
  vqLoss,
  vqParams,
} from '../helpers/tiny-autoencoder';
import { tinyUnet } from '../helpers/tiny-diffusion';

const folder = useTempFolder();
const AE_LOG = ['total_loss', 'quant_loss', 'nll_loss', 'rec_loss', 'p_loss', 'd_weight', 'disc_factor', 'g_loss'];
const USE_LOG = ['perplexity', 'cluster_usage'];
const DISC_LOG = ['disc_loss', 'logits_real', 'logits_fake'];
const TAMING = 'taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator';
const { n_classes: _, ...tamingParams } = vqLoss().params;
const tamingLoss = { target: TAMING, params: tamingParams };

const batch = { image: images([2, 16, 16, 3]) };
const step = (globalStep: number) => ({ batch, batchIdx: 0, globalStep, log: true, step: true, accumulate: 1 });
const validation = (globalStep: number) => ({ batch, batchIdx: 0, globalStep });
const prefixed = (prefix: string, names: string[]) => names.map((name) => `${prefix}/${name}`);

async function trainable(params: Record<string, unknown> = {}): Promise<VQModel> {
  const model = await tinyVqModel({ lossconfig: vqLoss(), ...params });
  await model.train();
  return model;
}

test('encode gives codes, decode takes them, indices alone give the same image', async () => {
  using model = await tinyVqModel();
  await model.eval();
  const x = images([2, 3, 16, 24]);
  const { quant, loss, indices } = await noGrad(() => model.encode(x));
  expect([quant.shape, loss.shape, indices.shape]).toEqual([[2, 3, 8, 12], [], [192]]);
  const decoded = await noGrad(() => model.decode(quant));
  expect(decoded.shape).toEqual([2, 3, 16, 24]);
  const all = await noGrad(() => model.forward(x));
  expect(await difference(all.reconstructions, decoded)).toBe(0);
  expect(await difference(await noGrad(() => model.reconstruct(x)), decoded)).toBe(0);
  const byIndex = await noGrad(() => model.decodeCode(indices.reshape(2, 8, 12)));
  expect(await difference(byIndex, decoded)).toBeLessThan(1e-5);
  expect((await noGrad(() => model.codebookEntry(indices))).shape).toEqual([192, 3]);
});

test('VQModelInterface has the same weights and reconstructions', async () => {
  using model = await tinyVqModel({}, 3);
  using seen = await tinyVq({}, 3);
  await Promise.all([model.eval(), seen.eval()]);
  const x = images([1, 3, 16, 16]);
  expect(await changed(seen, await snapshot(model))).toEqual([]);
  expect(await difference(await noGrad(() => model.reconstruct(x)), await noGrad(() => seen.forward(x)))).toBe(0);
});

describe('training', () => {
  test('a batch is two turns with the reference’s logged names, the codebook among what is trained', async () => {
    using model = await trainable();
    await model.configureOptimizers({ learningRate: 1e-3 });
    const before = await snapshot(model);
    const { turns } = await model.trainBatch(step(0));
    expect(Object.keys(turns[0].log)).toEqual(prefixed('train', [...AE_LOG, ...USE_LOG]));
    expect(Object.keys(turns[1].log)).toEqual(prefixed('train', DISC_LOG));
    expect(turns[0].log['train/cluster_usage']).toBeGreaterThanOrEqual(1);
    const names = await changed(model, before);
    for (const part of ['encoder.conv_in', 'decoder.conv_out', 'quantize.embedding', 'loss.discriminator.main.0'])
      expect(names).toContain(`${part}.weight`);
  });

  test('the loss of the official configs trains, which the reference cannot', async () => {
    using model = await trainable({ lossconfig: tamingLoss });
    await model.configureOptimizers({ learningRate: 1e-3 });
    const { turns } = await model.trainBatch(step(0));
    expect(Object.keys(turns[0].log)).toEqual(prefixed('train', AE_LOG));
  });

  test('VQModelInterface trains as VQModel does', async () => {
    using model = await trainable();
    using seen = await tinyVq({ lossconfig: vqLoss() });
    await seen.train();
    for (const one of [model, seen]) {
      await one.configureOptimizers({ learningRate: 1e-3 });
      await one.trainBatch(step(0));
    }
    expect(await changed(seen, await snapshot(model))).toEqual([]);
  });

  test('lr_g_factor is the generator’s alone', async () => {
    using model = await trainable({ lr_g_factor: 2.5 });
    await model.configureOptimizers({ learningRate: 1e-3 });
    const rates = (await model.optimizerStates()).map(({ param_groups: [group] }) => group.lr);
    expect(rates).toEqual([2.5e-3, 1e-3]);
  });

  test('another loss, or none, is an error that says which are right', async () => {
    const kl = { target: 'ldm.modules.losses.LPIPSWithDiscriminator', params: { disc_start: 0, perceptual_weight: 0 } };
    using other = await trainable({ lossconfig: kl });
    await other.configureOptimizers({ learningRate: 1e-3 });
    await expect(other.trainBatch(step(0))).rejects.toMatchObject({ message: expect.stringContaining(TAMING) });
    using none = await trainable({ lossconfig: { target: 'taming.modules.losses.DummyLoss' } });
    await expect(none.configureOptimizers({ learningRate: 1e-3 })).rejects.toMatchObject({
      message: expect.stringContaining('DummyLoss'),
    });
  });

  test('an index that n_classes does not have is an error', async () => {
    using model = await trainable({ lossconfig: vqLoss({ n_classes: 1 }) });
    await model.configureOptimizers({ learningRate: 1e-3 });
    await expect(model.trainBatch(step(0))).rejects.toMatchObject({ message: expect.stringContaining('n_embed') });
  });
});

describe('use_ema', () => {
  test('averages every trained parameter, the discriminator’s too, once a batch', async () => {
    using model = await trainable({ use_ema: true });
    await model.configureOptimizers({ learningRate: 1e-2 });
    const name = 'loss.discriminator.main.0.weight';
    const shadow = `model_ema.${name.replaceAll('.', '')}`;
    const before = (await snapshot(model)).get(name)!;
    await model.trainBatch(step(0));
    const after = await model.stateDict();
    expect(await after.get('model_ema.num_updates')!.item()).toBe(1);
    // The first update keeps 2/11 of the average.
    const wanted = before.mul(2 / 11).add(after.get(name)!.mul(9 / 11));
    expect(await difference(after.get(shadow)!, wanted)).toBeLessThan(1e-6);
    expect(await difference(after.get(name)!, before)).toBeGreaterThan(1e-3);
  });

  test('validation logs both sets of weights and leaves the trained ones in place', async () => {
    using model = await trainable({ use_ema: true });
    await model.configureOptimizers({ learningRate: 1e-2 });
    await model.trainBatch(step(0));
    await model.eval();
    const before = await snapshot(model);
    const { log } = await model.validateBatch(validation(1));
    const names = [...AE_LOG, ...USE_LOG, 'aeloss', ...DISC_LOG];
    expect(new Set(Object.keys(log))).toEqual(new Set([...prefixed('val', names), ...prefixed('val_ema', names)]));
    expect(log['val_ema/rec_loss']).not.toBe(log['val/rec_loss']);
    expect(log['val/aeloss']).toBe(log['val/total_loss']);
    expect(await changed(model, before)).toEqual([]);
    // Without an average both are the same numbers.
    using plain = await trainable();
    await plain.eval();
    const { log: same } = await plain.validateBatch(validation(1));
    expect(same['val_ema/rec_loss']).toBe(same['val/rec_loss']);
    expect(Object.keys(same)).toHaveLength(Object.keys(log).length);
  });

  test('emaScope reconstructs with the average; training in it is refused', async () => {
    using model = await trainable({ use_ema: true });
    await model.configureOptimizers({ learningRate: 1e-2 });
    await model.trainBatch(step(0));
    await model.eval();
    const x = await model.getInput(batch);
    const reconstruct = () => noGrad(() => model.reconstruct(x));
    const [trained, averaged, again] = [await reconstruct(), await model.emaScope(reconstruct), await reconstruct()];
    expect(await difference(trained, averaged)).toBeGreaterThan(1e-4);
    expect(await difference(trained, again)).toBe(0);
    await expect(model.emaScope(() => model.trainBatch(step(1)))).rejects.toMatchObject({
      message: expect.stringContaining('averaged weights'),
    });
    const pictures = await model.logImages(batch, { plot_ema: true });
    expect(Object.keys(pictures)).toEqual(['inputs', 'reconstructions', 'reconstructions_ema']);
    expect(await difference(pictures.reconstructions, trained)).toBe(0);
    expect(await difference(pictures.reconstructions_ema, averaged)).toBe(0);
  });
});

describe('batch_resize_range', () => {
  const sides = async (model: VQModel, globalStep: number, seeds: number[]) => {
    await model.validateBatch(validation(globalStep));
    const found: number[] = [];
    for (const seed of seeds) {
      const { inputs } = await model.logImages(batch, { only_inputs: true, random: new Generator(seed) });
      expect(inputs.shape[3]).toBe(inputs.shape[2]);
      found.push(inputs.shape[2]);
    }
    return found;
  };

  test('the largest side for five steps, then any of them, one more than the range has included', async () => {
    using model = await trainable({ batch_resize_range: [8, 30] });
    await model.eval();
    expect(await sides(model, 4, [1, 2, 3])).toEqual([30, 30, 30]);
    const later = await sides(
      model,
      5,
      Array.from({ length: 40 }, (_, i) => i),
    );
    expect([...new Set(later)].sort((a, b) => a - b)).toEqual([8, 24, 40]);
  });

  test('a batch of the right side is left as it is', async () => {
    using model = await trainable({ batch_resize_range: [8, 16] });
    expect(await difference(await model.getInput(batch), batch.image.permute(0, 3, 1, 2))).toBe(0);
  });
});

test('segmentation maps are logged in colours, with the average too', async () => {
  const labels = { in_channels: 5, out_ch: 5, double_z: false, z_channels: 4 };
  const params = { image_key: 'segmentation', ddconfig: ddconfig(labels), lossconfig: vqLoss({ disc_in_channels: 5 }) };
  using model = await trainable({ ...params, use_ema: true, colorize_nlabels: 5 });
  await model.eval();
  const maps = { segmentation: images([2, 16, 16, 5]) };
  const pictures = await model.logImages(maps, { plot_ema: true });
  expect(Object.values(pictures).map((p) => p.shape)).toEqual(Array(3).fill([2, 3, 16, 16]));
  expect([...(await model.stateDict()).keys()][0]).toBe('colorize');
});

test('weights come back from a file', async () => {
  const file = path.join(folder(), 'model.safetensors');
  using source = await tinyVqModel({}, 2);
  await writeSafetensors(file, await source.stateDict());
  using copy = await tinyVqModel({ ckpt_path: file, ignore_keys: ['quantize.'] }, 9);
  const names = await changed(copy, await snapshot(source));
  expect(names).toEqual(['quantize.embedding.weight']);
});

test('double_z and a range the wrong way round are errors of the config', async () => {
  await expect(VQModel.create(vqParams({ ddconfig: ddconfig() }))).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('ddconfig.double_z'),
  });
  await expect(VQModel.create(vqParams({ batch_resize_range: [32, 16] }))).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('smaller'),
  });
});

describe('as the first stage of latent diffusion', () => {
  const stage = (target: string) => ({
    timesteps: 4,
    image_size: 8,
    channels: 3,
    conditioning_key: null,
    use_ema: false,
    first_stage_config: { target, params: vqParams() },
    cond_stage_config: '__is_unconditional__',
    unet_config: tinyUnet({ num_heads: 1 }),
  });

  test('VQModelInterface decodes what it encodes; VQModel is refused by name', async () => {
    using model = await LatentDiffusion.create(stage(VQModelInterface.target) as never);
    const x = images([1, 3, 16, 16]);
    const z = await model.encodeFirstStage(x);
    expect(z.shape).toEqual([1, 3, 8, 8]);
    expect(await numbers(await model.decodeFirstStage(z))).toHaveLength(3 * 16 * 16);
    using wrong = await LatentDiffusion.create(stage(VQModel.target) as never);
    await expect(wrong.encodeFirstStage(x)).rejects.toMatchObject({
      message: expect.stringContaining(VQModelInterface.target),
    });
  });

  test('remap is read from its file', async () => {
    const params = stage(VQModelInterface.target);
    const remap = path.join(folder(), 'none.npy');
    const first = { ...params.first_stage_config, params: vqParams({ remap }) };
    await expect(LatentDiffusion.create({ ...params, first_stage_config: first } as never)).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringContaining(remap),
    });
  });
});

test('bf16 quantizes in full precision', async () => {
  using model = await tinyVqModel();
  const z = Tensor.randn([1, 3, 16, 16], { seed: 4 }).mul(0.1);
  const exact = await noGrad(() => model.quantize(z));
  const half = await noGrad(() => model.quantize(z, { precision: 'bf16' }));
  expect(await numbers(half.indices)).toEqual(await numbers(exact.indices));
  expect(half.quant.dtype).toBe('float32');
});
