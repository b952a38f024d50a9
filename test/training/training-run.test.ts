import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { readCheckpoint } from '../../lib/checkpoint';
import type { Tensor } from '../../lib/tensor';
import { TrainingRun, type TrainingRunOptions } from '../../lib/training/training-run';
import type { TestFolder } from '../data/folders';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion, tinyVqModel } from './tiny';

let images: TestFolder;
let logdir: string;
beforeAll(async () => {
  images = await tinyImages();
});
afterAll(() => images.remove());
beforeEach(() => {
  logdir = temporary();
});
afterEach(() => fs.rmSync(logdir, { recursive: true, force: true }));

async function train(options: TrainingRunOptions) {
  using run = await TrainingRun.prepare({ logdir, ...options });
  const result = await run.fit();
  return { ...result, root: run.folder.root, last: path.join(run.folder.checkpoints, 'last.ckpt') };
}

const entriesOf = (root: string) => {
  const text = fs.readFileSync(path.join(root, 'metrics.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
};
const stepsOf = (root: string) => entriesOf(root).filter((entry) => 'lr' in entry);

const digest = async (tensor: Tensor) =>
  createHash('sha1')
    .update((await tensor.data()) as Uint8Array)
    .digest('hex');

/** Everything in a checkpoint, tensors by digest: weights, EMA, both moments of every optimizer, the generator. */
async function contents(file: string): Promise<Map<string, unknown>> {
  using checkpoint = await readCheckpoint(file);
  const all = new Map<string, unknown>();
  for (const [name, tensor] of checkpoint.stateDict) all.set(name, await digest(tensor));
  for (const [i, { state }] of checkpoint.optimizerStates.entries())
    for (const [index, moments] of Object.entries(state))
      for (const [name, value] of Object.entries(moments))
        all.set(`optimizer ${i}.${index}.${name}`, typeof value === 'object' ? await digest(value) : value);
  const own = checkpoint.extra.get('node_ldm') as ReadonlyMap<string, { tensor(): Tensor }>;
  all.set('generator', await digest(own.get('generator')!.tensor()));
  all.set('step', checkpoint.globalStep);
  return all;
}

describe.each<[string, typeof tinyAutoencoder]>([
  ['AutoencoderKL with its discriminator', tinyAutoencoder],
  ['VQModel with EMA, resized batches and schedule', tinyVqModel],
  ['LatentDiffusion with EMA and schedule', tinyLatentDiffusion],
])('%s', (_, config) => {
  it('resumes exactly: 6 steps are 3 steps and 3 more, in the middle of an epoch', async () => {
    const base = config(images.root, {
      callbacks: {
        image_logger: {
          params: {
            batch_frequency: 2,
            increase_log_steps: false,
            log_images_kwargs: {
              inpaint: false,
              plot_progressive_rows: false,
              quantize_denoised: false,
              ddim_steps: 2,
              plot_ema: true,
            },
          },
        },
      },
    });
    const whole = await train({ base, maxSteps: 6, name: 'whole' });
    const half = await train({ base, maxSteps: 3, name: 'half' });
    const first = await contents(half.last);
    const resumed = await train({ resume: half.root, maxSteps: 6 });
    expect(resumed.root).toBe(half.root);
    expect([whole.globalStep, half.globalStep, resumed.globalStep]).toEqual([6, 3, 6]);
    const [a, b] = [await contents(whole.last), await contents(resumed.last)];
    expect([...b.keys()]).toEqual([...a.keys()]);
    expect([...a.keys()].filter((name) => b.get(name) !== a.get(name))).toEqual([]);
    const changed = [...a.keys()].filter((name) => first.get(name) !== a.get(name));
    expect(changed).toEqual(expect.arrayContaining(['step', 'generator', 'optimizer 0.0.exp_avg']));
    expect(changed.filter((name) => name.endsWith('.weight')).length).toBeGreaterThan(10);
  });
});

describe('a run', () => {
  it('leaves the reference log folder: configs, checkpoints, metrics, events, pictures', async () => {
    const base = tinyAutoencoder(images.root, {
      callbacks: { image_logger: { params: { batch_frequency: 4, max_images: 2 } } },
    });
    const { root } = await train({ base, maxSteps: 5, name: 'tiny' });
    expect(path.basename(root)).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_tiny$/);
    expect(fs.readdirSync(path.join(root, 'configs')).map((f) => f.slice(20))).toEqual([
      'lightning.yaml',
      'project.yaml',
    ]);
    expect(fs.readdirSync(path.join(root, 'checkpoints')).sort()).toEqual(['epoch=000001.ckpt', 'last.ckpt']);
    const lines = stepsOf(root);
    expect(lines.map((l) => l.step)).toEqual([0, 1, 2, 3, 4]);
    expect(lines[0]).toMatchObject({
      epoch: 0,
      lr: 2e-4,
      'train/total_loss': expect.any(Number),
      'train/kl_loss': expect.any(Number),
      aeloss: expect.any(Number),
      discloss: expect.any(Number),
    });
    expect(lines[4].epoch).toBe(1);
    const pictures = fs.readdirSync(path.join(root, 'images', 'train')).sort();
    expect(pictures).toContain('reconstructions_gs-000001_e-000000_b-000001.png');
    const picture = path.join(root, 'images', 'train', 'inputs_gs-000004_e-000001_b-000000.png');
    expect(await sharp(picture).metadata()).toMatchObject({ width: 2 * 18 + 2, height: 20 });
    expect(fs.readdirSync(path.join(root, 'testtube', 'version_0', 'tf'))).toHaveLength(1);
  });

  it('accumulates gradients: a step is counted once, the learning rate is scaled', async () => {
    const base = tinyAutoencoder(images.root, { trainer: { accumulate_grad_batches: 2 } });
    const { root, globalStep } = await train({ base, maxSteps: 3, name: 'acc' });
    expect(globalStep).toBe(3);
    const lines = stepsOf(root);
    expect(lines.map((l) => [l.step, l.epoch, l.lr])).toEqual([
      [0, 0, 4e-4],
      [1, 0, 4e-4],
      [2, 1, 4e-4],
    ]);
  });

  it('gives each optimizer its rate, and its schedule in the checkpoint', async () => {
    const { root, last } = await train({ base: tinyVqModel(images.root), maxSteps: 2, name: 'rates' });
    const lines = fs.readFileSync(path.join(root, 'metrics.jsonl'), 'utf8').trim().split('\n');
    // Of the autoencoder: base 1e-4, batches of 2, lr_g_factor 2; the warm-up begins at 0.1.
    expect(JSON.parse(lines[0]).lr).toBeCloseTo(0.4e-4, 12);
    using checkpoint = await readCheckpoint(last);
    const rates = checkpoint.optimizerStates.map(({ param_groups: [group] }) => group.lr as number);
    expect(rates[0] / rates[1]).toBeCloseTo(2, 12);
    const schedulers = checkpoint.extra.get('lr_schedulers') as ReadonlyMap<string, unknown>[];
    expect(schedulers.map((s) => [s.get('base_lrs'), s.get('last_epoch'), s.get('_step_count')])).toEqual([
      [[4e-4], 2, 3],
      [[2e-4], 2, 3],
    ]);
    const none = await train({ base: tinyAutoencoder(images.root), maxSteps: 1, name: 'none' });
    using plain = await readCheckpoint(none.last);
    expect(plain.extra.get('lr_schedulers')).toEqual([]);
  });

  it('validates after each epoch and keeps the best checkpoints by the monitor', async () => {
    const overrides = [
      'model.params.monitor=val/rec_loss',
      'data.params.validation.target=node_ldm.data.ImageFolder',
      `data.params.validation.params.root=${images.root}`,
      'data.params.validation.params.size=16',
      'lightning.trainer.limit_val_batches=2',
      'lightning.modelcheckpoint.params.save_top_k=2',
    ];
    const { root, metrics } = await train({ base: tinyAutoencoder(images.root), overrides, maxSteps: 12, name: 'val' });
    const lines = entriesOf(root);
    const validated = lines.filter((l) => 'val/rec_loss' in l);
    expect(validated.map((l) => l.epoch)).toEqual([0, 1, 2]);
    expect(metrics['val/rec_loss']).toBe(validated[2]['val/rec_loss']);
    const best = [...validated].sort((a, b) => a['val/rec_loss'] - b['val/rec_loss']).slice(0, 2);
    const expected = best.map((l) => `epoch=00000${l.epoch}.ckpt`).sort();
    expect(fs.readdirSync(path.join(root, 'checkpoints')).sort()).toEqual([...expected, 'last.ckpt']);
  });

  it('writes nothing when something is wrong before the first step', async () => {
    const base = tinyAutoencoder(images.root);
    const none = path.join(logdir, 'none');
    await expect(train({ base, data: path.join(logdir, 'missing') })).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(train({ base, overrides: ['model.params.embed_dimm=3'] })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
    });
    await expect(train({ base, overrides: ['model.base_learning_rate=0'] })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
    });
    await expect(train({ base, resume: none })).rejects.toMatchObject({ code: 'ERR_FILE' });
    const perceptual = 'model.params.lossconfig.params.perceptual_weight=1';
    await expect(train({ base, overrides: [perceptual], vgg: none })).rejects.toMatchObject({ code: 'ERR_FILE' });
    expect(fs.readdirSync(logdir)).toEqual([]);
  });

  it('stops with ERR_NAN before the weights are spoilt, or leaves the step out', async () => {
    const base = tinyAutoencoder(images.root);
    const overrides = ['model.base_learning_rate=1e20'];
    const failure = train({ base, overrides, maxSteps: 20, name: 'nan' });
    await expect(failure).rejects.toMatchObject({ code: 'ERR_NAN', message: expect.stringMatching(/step \d+/) });
    const skipped = await train({ base, overrides, maxSteps: 5, name: 'skip', onNan: 'skip' });
    expect(skipped.skippedSteps).toBeGreaterThan(0);
    expect(skipped.globalStep).toBe(5);
  });

  it('ends by time, and by interruption with a checkpoint to go on from', async () => {
    const timed = await train({ base: tinyAutoencoder(images.root), maxTime: 0.5, name: 'time' });
    expect(timed.reason).toBe('time');
    expect(timed.globalStep).toBeGreaterThan(0);
    using run: TrainingRun = await TrainingRun.prepare({
      base: tinyAutoencoder(images.root),
      logdir,
      name: 'stop',
      onProgress: ({ step }) => {
        if (step === 2) run.trainer.interrupt();
      },
    });
    const result = await run.fit();
    expect(result).toMatchObject({ reason: 'interrupted', globalStep: 2 });
    using checkpoint = await readCheckpoint(path.join(run.folder.checkpoints, 'last.ckpt'));
    expect(checkpoint.globalStep).toBe(2);
  });
});
