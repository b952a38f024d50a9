/** What the arguments of Lightning's Trainer do: limits, intervals, clipping, early ends, resuming elsewhere. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../lib/checkpoint';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { Trainable } from '../../lib/training/trainable';
import { TrainingRun, type TrainingRunOptions } from '../../lib/training/training-run';
import type { TestFolder } from '../data/folders';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion } from './tiny';

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

const trainer = (...values: string[]) => values.map((value) => `lightning.trainer.${value}`);
/** The other splits: the eight pictures of training again. */
const split = (name: string) => [
  `data.params.${name}.target=node_ldm.data.ImageFolder`,
  `data.params.${name}.params.root=${images.root}`,
  `data.params.${name}.params.size=16`,
];
async function train(options: TrainingRunOptions) {
  const told: string[] = [];
  using run = await TrainingRun.prepare({
    base: options.resume ? undefined : tinyAutoencoder(images.root),
    logdir,
    name: options.resume ? undefined : 'run',
    onInfo: (line) => told.push(line),
    ...options,
  });
  const result = await run.fit();
  return { ...result, told, root: run.folder.root, rows: entriesOf(run.folder.metrics) };
}
function entriesOf(file: string): Record<string, number>[] {
  if (!fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

it('validates within epochs, and saves after validation', async () => {
  const overrides = [...split('validation'), 'model.params.monitor=val/rec_loss'];
  const { rows, root } = await train({
    overrides: [...overrides, ...trainer('val_check_interval=0.5', 'limit_val_batches=1', 'max_epochs=1')],
  });
  // Four batches an epoch; numbers are those of the step just made.
  expect(rows.filter((row) => 'val/rec_loss' in row).map((row) => row.step)).toEqual([1, 3]);
  const saved = fs.readdirSync(path.join(root, 'checkpoints')).sort();
  expect(saved).toEqual(['epoch=000000-v1.ckpt', 'epoch=000000.ckpt', 'last.ckpt']);
  using first = await readCheckpoint(path.join(root, 'checkpoints', 'epoch=000000.ckpt'));
  expect([first.globalStep, first.epoch]).toEqual([2, 1]);
  expect(rows.at(-1)).toMatchObject({ step: 3, aeloss_epoch: expect.any(Number) });
});

it('shortens epochs, and means are those of an epoch', async () => {
  const { rows, globalStep } = await train({ overrides: trainer('limit_train_batches=2', 'max_epochs=2') });
  expect(globalStep).toBe(4);
  const steps = rows.filter((row) => 'aeloss' in row);
  expect(steps.map((row) => row.epoch)).toEqual([0, 0, 1, 1]);
  const [first] = rows.filter((row) => 'aeloss_epoch' in row);
  expect(first.aeloss_epoch).toBeCloseTo((steps[0].aeloss + steps[1].aeloss) / 2, 3);
  await expect(train({ overrides: trainer('limit_train_batches=0.1') })).rejects.toMatchObject({ code: 'ERR_CONFIG' });
});

it.each([
  ['norm', 1e-3],
  ['value', 1e-6],
] as const)('clips gradients by %s', async (algorithm, value) => {
  using run = await TrainingRun.prepare({ base: tinyAutoencoder(images.root), logdir });
  const trainable = new Trainable(run.model);
  await trainable.configureOptimizers(1e-4);
  const batch = { image: Tensor.randn([2, 16, 16, 3], { seed: 1 }) };
  const args = { batch, batchIdx: 0, globalStep: 5, log: true, step: true, accumulate: 1, clip: { algorithm, value } };
  await trainable.trainBatch(args, { random: new Generator(1) });
  const [{ state }] = await trainable.optimizerStates();
  let squares = 0;
  let largest = 0;
  for (const { exp_avg } of Object.values(state))
    for (const x of (await (exp_avg as Tensor).data()) as Float32Array) {
      squares += x * x;
      largest = Math.max(largest, Math.abs(x));
    }
  // The first moment is (1 - 0.5) times the gradient.
  if (algorithm === 'norm') expect(Math.sqrt(squares) / (0.5 * value)).toBeCloseTo(1, 3);
  else expect(largest).toBeCloseTo(0.5 * value, 12);
});

it('ends early when a callback says so, and not before min_epochs', async () => {
  const early = (name: string) => `lightning.callbacks.early_stopping.${name}`;
  const overrides = [
    early('target=pytorch_lightning.callbacks.EarlyStopping'),
    early('params.monitor=aeloss'),
    early('params.stopping_threshold=1e9'),
    ...trainer('limit_train_batches=1', 'min_epochs=2', 'max_epochs=9'),
  ];
  const { reason, globalStep, told } = await train({ overrides });
  expect([reason, globalStep]).toEqual(['early stopping', 2]);
  expect(told.filter((line) => line.includes('min_epochs'))).toHaveLength(1);
});

it('fast_dev_run leaves no file; debug moves the folder away', async () => {
  const fast = await train({ overrides: [...split('validation'), ...trainer('fast_dev_run=true')] });
  expect([fast.globalStep, fs.readdirSync(logdir)]).toEqual([1, []]);
  using run = await TrainingRun.prepare({ base: tinyAutoencoder(images.root), logdir, debug: true, maxSteps: 1 });
  await run.fit();
  run.finish();
  expect(fs.readdirSync(logdir)).toEqual(['debug_runs']);
  expect(path.dirname(run.folder.root)).toBe(path.join(logdir, 'debug_runs'));
  expect(fs.existsSync(path.join(run.folder.checkpoints, 'last.ckpt'))).toBe(true);
});

it('tests after training, and tests what was trained before', async () => {
  const base = tinyAutoencoder(images.root);
  using run = await TrainingRun.prepare({ base, logdir, maxSteps: 1, overrides: split('test') });
  await run.fit();
  const metrics = await run.test();
  expect(metrics['test/rec_loss']).toBeGreaterThan(0);
  expect(entriesOf(run.folder.metrics).at(-1)).toMatchObject({ step: 1, 'test/rec_loss': metrics['test/rec_loss'] });
  using again = await TrainingRun.prepare({ resume: run.folder.root });
  expect((await again.test())['test/rec_loss']).toBe(metrics['test/rec_loss']);
});

it("goes on from a file elsewhere in a new folder, with the file's learning rate and average", async () => {
  const base = tinyLatentDiffusion(images.root);
  const first = await train({ base, maxSteps: 2 });
  const file = path.join(logdir, 'model.ckpt');
  fs.copyFileSync(path.join(first.root, 'checkpoints', 'last.ckpt'), file);
  const overrides = ['model.base_learning_rate=1'];
  const second = await train({
    base,
    resume: file,
    overrides,
    maxSteps: 3,
    name: undefined,
    postfix: 'second',
    ema: false,
  });
  expect(second.root).not.toBe(first.root);
  expect(second.rows.map((row) => row.step)).toEqual([2, 2]);
  expect(second.rows[0].lr / 2e-4).toBeCloseTo(0.1 + (0.9 * 2) / 3, 9);
  expect(second.told).toEqual(expect.arrayContaining([expect.stringMatching(/average.*left out/)]));
  const third = await train({
    base,
    overrides: trainer(`resume_from_checkpoint=${path.join(second.root, 'checkpoints', 'last.ckpt')}`),
    maxSteps: 4,
    name: 'third',
  });
  expect(third.rows[0].step).toBe(3);
  expect(third.told).toEqual(expect.arrayContaining([expect.stringMatching(/no moving average/)]));
});

it('keeps what was trained when training fails', async () => {
  const early = (name: string) => `lightning.callbacks.early_stopping.${name}`;
  const overrides = [
    early('target=pytorch_lightning.callbacks.EarlyStopping'),
    early('params.monitor=nobody_logs_this'),
    'lightning.modelcheckpoint.params.every_n_epochs=5',
    ...trainer('limit_train_batches=2'),
  ];
  await expect(train({ overrides })).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  const [run] = fs.readdirSync(logdir);
  using checkpoint = await readCheckpoint(path.join(logdir, run, 'checkpoints', 'last.ckpt'));
  expect(checkpoint.globalStep).toBe(2);
});

it('scales losses in float16 and keeps the scale', async () => {
  const base = tinyLatentDiffusion(images.root);
  const { root } = await train({ base, overrides: trainer('precision=16'), maxSteps: 2 });
  using checkpoint = await readCheckpoint(path.join(root, 'checkpoints', 'last.ckpt'));
  const scaler = checkpoint.extra.get('native_amp_scaling_state') as ReadonlyMap<string, number>;
  expect(Object.fromEntries(scaler)).toMatchObject({ growth_factor: 2, backoff_factor: 0.5, growth_interval: 2000 });
  expect(scaler.get('scale')).toBeLessThanOrEqual(65536);
});
