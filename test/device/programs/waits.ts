/**
 * Prints, as JSON, what the host waits for: in three training steps of each model, in the steps of each sampler (those of a run of
 * 6 steps without those of one of 3), in a whole training run and in a step whose gradients are not finite.
 */
import fs from 'node:fs';
import { resolveProject } from '../../../lib/config';
import { instantiateFromConfig, type LatentDiffusion } from '../../../lib/models';
import { Generator } from '../../../lib/random';
import { DDIMSampler, PLMSSampler } from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import { readLater, Trainable } from '../../../lib/training/trainable';
import { TrainingRun } from '../../../lib/training/training-run';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion, tinyVqModel } from '../../training/tiny';
import type { DeviceCounts } from '../pretend';

declare const pretendDevice: { counts(): DeviceCounts; reset(): void };

const device = 'cuda';
const random = new Generator(1, device);

async function waitsOf(run: () => PromiseLike<unknown>): Promise<Record<string, number>> {
  pretendDevice.reset();
  await run();
  return pretendDevice.counts().waits;
}

const build = (config: ReturnType<typeof tinyAutoencoder>) =>
  instantiateFromConfig(resolveProject(config).model, { device, random });

const batch = (fill?: number) => ({
  image:
    fill === undefined
      ? Tensor.rand([2, 16, 16, 3], { random, device })
      : Tensor.full([2, 16, 16, 3], fill, { device }),
  class_label: Tensor.from(new BigInt64Array([0n, 1n]), [2], { device }),
});

async function trainable(config: ReturnType<typeof tinyAutoencoder>): Promise<Trainable> {
  const model = new Trainable(await build(config));
  await model.configureOptimizers(1e-4);
  await model.model.train();
  return model;
}

const step = (globalStep: number) => ({ batchIdx: globalStep, globalStep, step: true, accumulate: 1, clip: null });

async function training(
  config: ReturnType<typeof tinyAutoencoder>,
  options: object = {},
  precision: 'fp32' | 'fp16' = 'fp32',
) {
  const model = await trainable(config);
  const data = batch();
  const steps = async (from: number) => {
    for (let i = from; i < from + 3; i++) {
      const log = { log: true, defer: true };
      const { later } = await model.trainBatch({ batch: data, ...step(i), ...log, ...options }, { random, precision });
      later!.values.dispose();
    }
  };
  await steps(0); // what is made once
  const waits = await waitsOf(() => steps(3));
  model.model.dispose();
  return waits;
}

/** The state of float16's loss scaling after a step that is well and one that overflows. */
async function scaling() {
  const model = await trainable(tinyLatentDiffusion('none'));
  const states = [];
  for (const [i, fill] of [undefined, Number.NaN].entries()) {
    const args = { batch: batch(fill), ...step(i + 1), log: true, defer: true };
    const { later } = await model.trainBatch(args, { random, precision: 'fp16' });
    const [{ unfit }] = await readLater([later!]);
    states.push({ unfit, scaler: await model.scalerState() });
  }
  return states;
}

async function sampling() {
  const model = (await build(tinyLatentDiffusion('none'))) as LatentDiffusion;
  const conditioning = await model.getLearnedConditioning({ class_label: batch().class_label });
  const out: Record<string, number> = {};
  for (const [name, Sampler] of Object.entries({ ddim: DDIMSampler, plms: PLMSSampler })) {
    const count = async (steps: number) => {
      const run = () => new Sampler(model).sample({ steps, batchSize: 2, conditioning, random });
      return Object.values(await waitsOf(run)).reduce((sum, n) => sum + n, 0);
    };
    await count(3);
    out[name] = (await count(6)) - (await count(3));
  }
  return out;
}

/** Steps within one epoch, and one checkpoint at the end. */
async function run(steps: number) {
  const images = await tinyImages();
  const logdir = temporary();
  const trainer = { max_steps: steps, log_every_n_steps: 2 };
  using prepared = await TrainingRun.prepare({
    base: tinyLatentDiffusion(images.root, { trainer }),
    overrides: ['data.params.batch_size=1', 'lightning.callbacks.image_logger.params.disabled=true'],
    logdir,
    device,
  });
  pretendDevice.reset();
  await prepared.fit();
  const waits = pretendDevice.counts().waits;
  const lines = fs.readFileSync(`${prepared.folder.root}/metrics.jsonl`, 'utf8').trim().split('\n');
  const logged = lines.map((line) => JSON.parse(line)).filter((entry) => 'lr' in entry);
  fs.rmSync(logdir, { recursive: true });
  images.remove();
  return { waits, losses: logged.map((entry) => entry['train/loss_simple']) };
}

async function notFinite() {
  const model = await trainable(tinyLatentDiffusion('none'));
  const sum = async () => {
    const [, weight] = [...(await model.model.namedParameters())][0];
    return weight.sum().item();
  };
  const before = await sum();
  const args = (i: number, fill?: number) => ({ batch: batch(fill), ...step(i), log: true, defer: true });
  const bad = (await model.trainBatch(args(1, Number.NaN), { random })).later!;
  const between = await sum();
  const good = (await model.trainBatch(args(2), { random })).later!;
  const after = await sum();
  const read = await readLater([bad, good]);
  return { unfit: read.map(({ unfit }) => unfit), kept: before === between, moved: between !== after };
}

async function main(): Promise<void> {
  const out = {
    kl: await training(tinyAutoencoder('none')),
    vq: await training(tinyVqModel('none')),
    ldm: await training(tinyLatentDiffusion('none')),
    clipped: await training(tinyLatentDiffusion('none'), { clip: { algorithm: 'norm', value: 1 } }),
    fp16: await training(tinyLatentDiffusion('none'), {}, 'fp16'),
    scaler: await scaling(),
    sampling: await sampling(),
    runs: [await run(3), await run(7)],
    notFinite: await notFinite(),
  };
  console.log(JSON.stringify(out));
  process.exit(0);
}
void main();
