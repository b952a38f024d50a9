/** Parameters that are stepped within the backward pass end up where those of a separate optimizer do, bit by bit. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../lib/checkpoint';
import type { LatentDiffusion, Module } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { Trainable, type TrainBatchArgs } from '../../lib/training/trainable';
import { Trainer } from '../../lib/training/trainer';
import { TrainingRun } from '../../lib/training/training-run';
import { changed, snapshot } from '../helpers/model-changes';
import { ganLoss, images, tinyKl, tinyVqModel, vqLoss } from '../helpers/tiny-autoencoder';
import { tinyDdpm, tinyLatentDiffusion, tinyUnet } from '../helpers/tiny-diffusion';
import { temporary, tinyLatentDiffusion as tinyConfig, tinyImages } from './tiny';

const batch = { image: images([2, 16, 16, 3]), class_label: Tensor.from(BigInt64Array.of(1n, 3n), [2]) };
const small = { ...batch, image: images([2, 8, 8, 3]) };

/** The bytes of everything that some steps leave: weights, averages, moments, step counts. */
async function trained(
  model: Module,
  { batch: images, steps = 3, ...more }: Partial<TrainBatchArgs> & { steps?: number },
): Promise<Map<string, Buffer>> {
  const trainable = new Trainable(model);
  await model.train();
  await trainable.configureOptimizers(1e-2);
  using random = new Generator(2);
  for (let i = 0; i < steps; i++) {
    const place = { batch: images!, batchIdx: i, globalStep: i, log: true, step: true, accumulate: 1 };
    await trainable.trainBatch({ ...place, ...more }, { random });
  }
  const left = new Map<string, Tensor>(await model.stateDict());
  for (const [i, { state }] of (await trainable.optimizerStates()).entries())
    for (const [index, moments] of Object.entries(state))
      for (const [name, value] of Object.entries(moments)) left.set(`${i}.${index}.${name}`, value as Tensor);
  const bytes = new Map<string, Buffer>();
  for (const [name, tensor] of left) {
    const data = (await tensor.detach().clone().data()) as Float32Array;
    bytes.set(name, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return bytes;
}

test.each<[string, () => Promise<Module>, Partial<TrainBatchArgs>]>([
  ['a diffusion model with its average and a trained condition', () => tinyLatentDiffusion(), { batch: small }],
  [
    'activations that are computed again',
    () =>
      tinyLatentDiffusion({
        unet_config: tinyUnet({ use_checkpoint: true, ...{ use_spatial_transformer: true, context_dim: 16 } }),
      }),
    { batch: small },
  ],
  [
    'a parameter that is used twice (learn_logvar)',
    () => tinyDdpm({ learn_logvar: true, use_ema: true }),
    { batch: small },
  ],
  [
    'parameters without a gradient (the head beside the id predictor)',
    () => tinyDdpm({ unet_config: tinyUnet({ n_embed: 3 }) }),
    { batch: small },
  ],
  ['two optimizers', () => tinyKl({ lossconfig: ganLoss() }), { batch }],
  [
    'two optimizers, the second of which idles',
    () => tinyKl({ lossconfig: ganLoss({ disc_start: 2 }) }),
    { batch, skipIdle: true },
  ],
  [
    'a codebook, and two optimizers with an average',
    () => tinyVqModel({ lossconfig: vqLoss(), use_ema: true }),
    { batch },
  ],
])('%s', async (_, create, args) => {
  using separate = await create();
  using within = await create();
  const expected = await trained(separate, args);
  const found = await trained(within, { ...args, stepInBackward: true });
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [name, bytes] of found) expect([name, bytes.equals(expected.get(name)!)]).toEqual([name, true]);
});

test('gradients that are accumulated or clipped are waited for', async () => {
  for (const more of [{ accumulate: 2 }, { clip: { algorithm: 'norm' as const, value: 1e-3 } }]) {
    using separate = await tinyDdpm();
    using within = await tinyDdpm();
    const expected = await trained(separate, { batch: small, steps: 1, ...more });
    const found = await trained(within, { batch: small, steps: 1, ...more, stepInBackward: true });
    for (const [name, bytes] of found) expect([name, bytes.equals(expected.get(name)!)]).toEqual([name, true]);
  }
});

/**
 * Makes gradients overflow at the first convolution though the loss is finite: what it gives is constant, and the norm behind it
 * and the next convolution multiply by large numbers, which has no effect on a constant 0.
 */
async function spoil(model: Module): Promise<void> {
  const parameters = await model.namedParameters();
  const state = new Map<string, Tensor>();
  const fill = (name: string, value: number) =>
    state.set(`${BLOCKS}.${name}`, Tensor.full(parameters.get(`${BLOCKS}.${name}`)!.shape, value));
  fill('0.0.weight', 0);
  fill('0.0.bias', 0);
  fill('1.0.in_layers.0.weight', 1e36);
  fill('1.0.in_layers.2.weight', 1e9);
  await model.loadStateDict(state, { strict: false });
}
const BLOCKS = 'model.diffusion_model.input_blocks';
const FIRST = `${BLOCKS}.0.0`;

describe('a gradient that is not finite', () => {
  const step = { batch: small, batchIdx: 0, globalStep: 0, log: true, step: true, accumulate: 1 };
  async function failed(model: LatentDiffusion, stepInBackward: boolean) {
    const trainable = new Trainable(model);
    await model.train();
    await trainable.configureOptimizers(1e-3);
    await spoil(model);
    const before = await snapshot(model);
    const failure = trainable.trainBatch({ ...step, stepInBackward }, { random: new Generator(1) });
    await expect(failure).rejects.toMatchObject({ code: 'ERR_NAN', message: expect.stringContaining(FIRST) });
    return { names: await changed(model, before), unfinished: await trainable.unfinishedStep() };
  }

  test('reaches no weight, and what was stepped before it is counted', async () => {
    using model = await tinyLatentDiffusion();
    const { names, unfinished } = await failed(model, true);
    expect(names).toContain('model.diffusion_model.out.2.weight');
    expect(names.filter((name) => name.startsWith(FIRST) || name.startsWith('model_ema'))).toEqual([]);
    // 1e36 is stepped, but stays what it is.
    expect(unfinished!.stepped).toBe(names.length + 1);
    expect(unfinished!.of).toBeGreaterThan(unfinished!.stepped);
    for (const [, tensor] of await model.stateDict())
      if (tensor.dtype === 'float32') expect(await tensor.abs().max().item()).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  test('changes nothing where steps are whole', async () => {
    using model = await tinyLatentDiffusion();
    expect(await failed(model, false)).toEqual({ names: [], unfinished: null });
  });

  test.each([false, true])('leaves last.ckpt to whole states (wholeSteps: %s)', async (wholeSteps) => {
    const pictures = await tinyImages();
    const logdir = temporary();
    const told: string[] = [];
    try {
      using run = await TrainingRun.prepare({ base: tinyConfig(pictures.root), logdir });
      fs.mkdirSync(path.join(logdir, 'checkpoints'));
      const trainer = new Trainer({
        logdir,
        learningRate: 1e-4,
        numSanityValSteps: 0,
        wholeSteps,
        // In the first step after it the gradients are 0 there: the last layer begins at 0.
        callbacks: [{ onTrainBatchEnd: ({ trainable }) => spoil(trainable.model) }],
        onInfo: (line) => told.push(line),
      });
      const fit = trainer.fit(run.model, run.data.trainLoader({ seed: 1 }));
      await expect(fit).rejects.toMatchObject({ code: 'ERR_NAN', message: expect.stringContaining('step 2') });
      const file = wholeSteps ? 'last.ckpt' : 'unfinished-step.ckpt';
      expect(fs.readdirSync(path.join(logdir, 'checkpoints'))).toEqual([file]);
      expect(told.at(-1)).toMatch(wholeSteps ? /^Saved .*last\.ckpt$/ : /unfinished-step\.ckpt: \d+ of \d+ parameters/);
      using checkpoint = await readCheckpoint(path.join(logdir, 'checkpoints', file));
      expect(checkpoint.globalStep).toBe(2);
    } finally {
      pictures.remove();
      fs.rmSync(logdir, { recursive: true });
    }
  });
});
