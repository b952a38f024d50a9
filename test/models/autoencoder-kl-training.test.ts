import fs from 'node:fs';
import path from 'node:path';
import { writeTorchFile } from '../../lib/checkpoint';
import { vgg16File } from '../../lib/lpips-files';
import type { AutoencoderKL } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { Adam } from '../../lib/training/optimizer';
import { changed, snapshot } from '../helpers/model-changes';
import { useTempFolder } from '../helpers/temp-folder';
import { difference, ganLoss, images, tinyKl } from '../helpers/tiny-autoencoder';
import { randomVgg } from '../helpers/vgg';

const folder = useTempFolder();
const AE_LOG = ['total_loss', 'logvar', 'kl_loss', 'nll_loss', 'rec_loss', 'd_weight', 'disc_factor', 'g_loss'];
const DISC_LOG = ['disc_loss', 'logits_real', 'logits_fake'];

const batch = { image: images([2, 16, 16, 3]) };
const step = (globalStep: number, more = {}) => ({
  batch,
  batchIdx: globalStep,
  globalStep,
  log: true,
  step: true,
  accumulate: 1,
  ...more,
});

async function trainable(loss = {}): Promise<AutoencoderKL> {
  const model = await tinyKl({ lossconfig: ganLoss(loss) });
  await model.train();
  return model;
}

test('a batch is two turns with the reference’s logged names; logvar is in no optimizer', async () => {
  using model = await trainable();
  await model.configureOptimizers({ learningRate: 1e-3 });
  const before = await snapshot(model);
  const { log, turns } = await model.trainBatch(step(0), { random: new Generator(1) });
  const named = (names: string[]) => names.map((name) => `train/${name}`);
  expect(Object.keys(turns[0].log)).toEqual([...named(AE_LOG), 'aeloss']);
  expect(Object.keys(turns[1].log)).toEqual([...named(DISC_LOG), 'discloss']);
  expect(log).toEqual({ ...turns[0].log, ...turns[1].log });
  expect(turns[0].loss).toBe(log.aeloss);
  expect(log['train/d_weight']).toBeGreaterThan(0);

  const names = await changed(model, before);
  for (const part of [
    'encoder.conv_in',
    'decoder.conv_out',
    'quant_conv',
    'post_quant_conv',
    'loss.discriminator.main.0',
  ])
    expect(names).toContain(`${part}.weight`);
  expect(names).not.toContain('loss.logvar');
  // running statistics: the fake in the first turn, real and fake in the second
  const count = (await model.stateDict()).get('loss.discriminator.main.3.num_batches_tracked')!;
  expect(await count.item()).toBe(3);
});

test('only the active optimizer’s parameters require gradients, and all do again afterwards', async () => {
  using model = await trainable();
  await model.configureOptimizers({ learningRate: 1e-3 });
  await model.trainBatch(step(0));
  const parameters = await model.namedParameters();
  expect(parameters.get('encoder.conv_in.weight')!.requiresGrad).toBe(true);
  expect(parameters.get('loss.discriminator.main.0.weight')!.requiresGrad).toBe(true);
});

test('a hand-written loop does the same as trainBatch', async () => {
  using whole = await trainable();
  await whole.configureOptimizers({ learningRate: 1e-3 });
  await whole.trainBatch(step(0), { random: new Generator(2) });

  using model = await trainable();
  const all = [...(await model.namedParameters())];
  const of = (wanted: (name: string) => boolean) => all.filter(([name]) => wanted(name)).map(([, t]) => t);
  const ae = of((name) => !name.startsWith('loss.'));
  const disc = of((name) => name.startsWith('loss.discriminator.'));
  const random = new Generator(2);
  for (const [i, [own, others]] of [
    [ae, disc],
    [disc, ae],
  ].entries()) {
    using optimizer = await Adam.create(own, { lr: 1e-3, betas: [0.5, 0.9] });
    for (const p of others) p.requiresGrad_(false);
    const { loss } = await model.trainingStep(batch, i, 0, { random });
    await optimizer.zeroGrad();
    await loss.backward();
    await optimizer.step();
    for (const p of others) p.requiresGrad_(true);
  }
  expect(await changed(model, await snapshot(whole))).toEqual([]);
});

test('skipIdle changes nothing but running statistics and logged scalars before disc_start', async () => {
  const run = async (skipIdle: boolean, globalStep: number) => {
    const model = await trainable({ disc_start: 5 });
    await model.configureOptimizers({ learningRate: 1e-3 });
    const random = new Generator(4);
    const first = await model.trainBatch(step(globalStep, { skipIdle }), { random });
    await model.trainBatch(step(globalStep + 1, { skipIdle }), { random });
    return { model, log: first.log, next: await (await Tensor.rand([1], { random })).item() };
  };
  const exact = await run(false, 0);
  const skipped = await run(true, 0);
  const names = await changed(skipped.model, await snapshot(exact.model));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => /^loss\.discriminator\..*(running_|num_batches)/.test(name))).toBe(true);
  expect(skipped.next).toBe(exact.next);
  const missing = ['d_weight', 'g_loss', 'logits_real', 'logits_fake'].map((name) => `train/${name}`);
  for (const name of missing) delete exact.log[name];
  expect(skipped.log).toEqual(exact.log);
  const [a, b] = [await exact.model.optimizerStates(), await skipped.model.optimizerStates()];
  for (const [i, { state }] of a.entries())
    for (const [key, moments] of Object.entries(state))
      for (const name of ['step', 'exp_avg', 'exp_avg_sq'] as const)
        expect(await difference(moments[name] as Tensor, b[i].state[key][name] as Tensor)).toBe(0);
  for (const { model } of [exact, skipped]) model.dispose();

  // from disc_start on there is nothing to skip
  const late = [await run(false, 5), await run(true, 5)];
  expect(await changed(late[1].model, await snapshot(late[0].model))).toEqual([]);
  for (const { model } of late) model.dispose();
});

test('skipIdle lets ActNorm take its parameters from the first batch', async () => {
  const run = async (skipIdle: boolean) => {
    const model = await trainable({ disc_start: 5, use_actnorm: true });
    await model.configureOptimizers({ learningRate: 1e-3 });
    for (const i of [0, 1]) await model.trainBatch(step(i, { skipIdle }), { random: new Generator(i) });
    return model;
  };
  using exact = await run(false);
  using skipped = await run(true);
  expect(await changed(skipped, await snapshot(exact))).toEqual([]);
});

test('reused reconstructions train the autoencoder the same and the discriminator otherwise', async () => {
  const run = async (reuseReconstructions: boolean) => {
    const model = await trainable();
    await model.configureOptimizers({ learningRate: 1e-3 });
    await model.trainBatch(step(0, { reuseReconstructions }), { random: new Generator(1) });
    return model;
  };
  using own = await run(false);
  using reused = await run(true);
  const names = await changed(reused, await snapshot(own));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => name.startsWith('loss.discriminator.'))).toBe(true);
});

test('accumulated micro-batches step once', async () => {
  using model = await trainable();
  await model.configureOptimizers({ learningRate: 1e-3 });
  const before = await snapshot(model);
  const learned = async () => (await changed(model, before)).filter((name) => !/running|num_batches/.test(name));
  await model.trainBatch(step(0, { step: false, accumulate: 2 }));
  expect(await learned()).toEqual([]);
  await model.trainBatch(step(0, { step: true, accumulate: 2 }));
  expect(await learned()).toContain('encoder.conv_in.weight');
});

test('gradients of micro-batches add up to those of their mean loss', async () => {
  using model = await trainable({ disc_factor: 0 });
  await model.configureOptimizers({ learningRate: 0 });
  const gradient = async () =>
    (await (await model.namedParameters()).get('decoder.conv_out.weight')!.grad())!.detach().clone();
  const random = () => ({ random: new Generator(3) });
  await model.trainBatch(step(0, { step: false }), random());
  const once = await gradient();
  await model.zeroGrad();
  await model.trainBatch(step(0, { step: false, accumulate: 2 }), random());
  await model.trainBatch(step(0, { step: false, accumulate: 2 }), random());
  expect(await difference(once, await gradient())).toBeLessThan(1e-4 * (await once.abs().max().item()));
});

test('states of the optimizers continue training exactly', async () => {
  using straight = await trainable();
  await straight.configureOptimizers({ learningRate: 1e-3 });
  await straight.trainBatch(step(0), { random: new Generator(1) });
  const weights = await snapshot(straight);
  const states = await straight.optimizerStates();

  using resumed = await trainable();
  await resumed.loadStateDict(weights);
  await resumed.configureOptimizers({ learningRate: 1 });
  await resumed.loadOptimizerStates(states);
  await straight.trainBatch(step(1), { random: new Generator(2) });
  await resumed.trainBatch(step(1), { random: new Generator(2) });
  expect(await changed(resumed, await snapshot(straight))).toEqual([]);
});

test('learning rates are set for each optimizer', async () => {
  using model = await trainable();
  await model.configureOptimizers({ learningRate: 1e-3 });
  await model.setLearningRates([0, 1e-3]);
  const before = await snapshot(model);
  await model.trainBatch(step(0));
  const names = (await changed(model, before)).filter((name) => !/running|num_batches/.test(name));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => name.startsWith('loss.discriminator.'))).toBe(true);
  await expect(model.setLearningRates([1])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});

test('a loss that is not finite stops before the step', async () => {
  using model = await trainable();
  await model.configureOptimizers({ learningRate: 1e-3 });
  const before = await snapshot(model);
  const bad = { image: Tensor.full([1, 16, 16, 3], Number.NaN) };
  await expect(model.trainBatch(step(0, { batch: bad }))).rejects.toMatchObject({ code: 'ERR_NAN' });
  const names = (await changed(model, before)).filter((name) => !/running|num_batches/.test(name));
  expect(names).toEqual([]);
});

test('validation logs both losses, with d_weight 0, and changes nothing', async () => {
  using model = await trainable();
  await model.eval();
  const before = await snapshot(model);
  const { log } = await model.validateBatch({ batch, batchIdx: 0, globalStep: 5 }, { random: new Generator(1) });
  expect(Object.keys(log)).toEqual([...AE_LOG, ...DISC_LOG].map((name) => `val/${name}`));
  expect(log['val/d_weight']).toBe(0);
  expect(log['val/rec_loss']).toBeGreaterThan(0);
  expect(await changed(model, before)).toEqual([]);
});

test('bf16 leaves the losses in fp32 and comes close to it', async () => {
  const run = async (precision: 'fp32' | 'bf16') => {
    using model = await trainable();
    await model.configureOptimizers({ learningRate: 1e-3 });
    return (await model.trainBatch(step(0), { random: new Generator(1), precision })).log;
  };
  const [exact, half] = [await run('fp32'), await run('bf16')];
  expect(half['train/kl_loss']).not.toBe(exact['train/kl_loss']);
  for (const name of ['kl_loss', 'nll_loss', 'rec_loss', 'disc_loss'].map((n) => `train/${n}`))
    expect(Math.abs(half[name] / exact[name] - 1)).toBeLessThan(0.02);
});

test('training before configureOptimizers says so', async () => {
  using model = await trainable();
  await expect(model.trainBatch(step(0))).rejects.toMatchObject({
    message: expect.stringContaining('configureOptimizers'),
  });
});

describe('perceptual weights', () => {
  const cache = process.env.LDM_CACHE;
  beforeEach(() => {
    process.env.LDM_CACHE = folder();
  });
  afterEach(() => {
    if (cache === undefined) delete process.env.LDM_CACHE;
    else process.env.LDM_CACHE = cache;
  });

  test('when they are missing, training stops before it begins and says what to do', async () => {
    using model = await trainable({ perceptual_weight: 1 });
    const error = await model.configureOptimizers({ learningRate: 1e-3 }).catch((e) => e);
    expect(error.code).toBe('ERR_MISSING_WEIGHTS');
    const { path: file, url } = vgg16File();
    for (const part of ['ldm download lpips', url, file, 'perceptual_weight=0']) expect(error.message).toContain(part);
  });

  test('a file in the cache folder is used', async () => {
    const file = vgg16File().path;
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await writeTorchFile(file, randomVgg());
    using model = await trainable({ perceptual_weight: 1 });
    await model.configureOptimizers({ learningRate: 1e-3 });
    const { log } = await model.trainBatch(step(0));
    expect(Number.isFinite(log['train/rec_loss'])).toBe(true);
    const parameters = await model.stateDict();
    const bias = parameters.get('loss.perceptual_loss.net.slice5.28.bias')!;
    expect(await difference(bias, randomVgg()['features.28.bias'])).toBe(0);
  });
});
