import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TrainerView } from '../../lib/training/callbacks/callback';
import { formatCheckpointName } from '../../lib/training/callbacks/checkpoint-name';
import { ModelCheckpoint } from '../../lib/training/callbacks/model-checkpoint';

/** A trainer that only writes files. */
function trainer(folder: string) {
  const view = {
    currentEpoch: 0,
    globalStep: 0,
    readLogs: async () => {},
    metrics: {} as Record<string, number>,
    info: () => {},
    saveCheckpoint: async (file: string) => fs.writeFileSync(file, `step ${view.globalStep}`),
  };
  const epoch = async (callback: ModelCheckpoint, metrics: Record<string, number> = {}) => {
    view.globalStep += 10;
    view.metrics = metrics;
    await callback.onTrainEpochEnd(view as unknown as TrainerView);
    view.currentEpoch++;
  };
  return { view: view as unknown as TrainerView, raw: view, epoch, files: () => fs.readdirSync(folder).sort() };
}

/** As main.py's default. */
const filename = '{epoch:06}';

describe('ModelCheckpoint', () => {
  let dirpath: string;
  beforeEach(() => {
    dirpath = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-ckpt-'));
  });
  afterEach(() => fs.rmSync(dirpath, { recursive: true }));

  it('keeps the best k by the metric, and the last', async () => {
    const callback = new ModelCheckpoint({ dirpath, filename, monitor: 'val/loss', save_top_k: 2, save_last: true });
    const { epoch, files } = trainer(dirpath);
    for (const loss of [5, 3, 4, 9, 1]) await epoch(callback, { 'val/loss': loss });
    expect(files()).toEqual(['epoch=000001.ckpt', 'epoch=000004.ckpt', 'last.ckpt']);
    expect(fs.readFileSync(path.join(dirpath, 'last.ckpt'), 'utf8')).toBe('step 50');
    expect(path.basename(callback.bestModelPath!)).toBe('epoch=000004.ckpt');
  });

  it('prefers large values in mode max, and never a NaN', async () => {
    const callback = new ModelCheckpoint({ dirpath, filename, monitor: 'acc', save_top_k: 1, mode: 'max' });
    const { epoch, files } = trainer(dirpath);
    for (const acc of [0.1, 0.9, Number.NaN, 0.5]) await epoch(callback, { acc });
    expect(files()).toEqual(['epoch=000001.ckpt']);
  });

  it('keeps only the newest without a metric', async () => {
    const callback = new ModelCheckpoint({ dirpath, filename });
    const { epoch, files } = trainer(dirpath);
    for (let i = 0; i < 3; i++) await epoch(callback);
    expect(files()).toEqual(['epoch=000002.ckpt']);
  });

  it('saves at every n-th epoch', async () => {
    const callback = new ModelCheckpoint({ dirpath, filename, every_n_epochs: 3, save_top_k: -1 });
    const { epoch, files } = trainer(dirpath);
    for (let i = 0; i < 7; i++) await epoch(callback);
    expect(files()).toEqual(['epoch=000002.ckpt', 'epoch=000005.ckpt']);
  });

  it('saves every n steps and keeps all with save_top_k -1', async () => {
    const callback = new ModelCheckpoint({
      dirpath,
      filename: '{epoch:06}-{step:09}',
      every_n_train_steps: 5,
      save_top_k: -1,
    });
    const { view, raw, files } = trainer(dirpath);
    for (raw.globalStep = 0; raw.globalStep < 11; raw.globalStep++)
      await callback.onTrainBatchEnd(view, { batch: {} as never, batchIdx: 0, stepped: true });
    expect(files()).toEqual(['epoch=000000-step=000000004.ckpt', 'epoch=000000-step=000000009.ckpt']);
  });

  it('takes up its list after a resume', async () => {
    const options = { dirpath, filename, monitor: 'val/loss', save_top_k: 1 };
    const first = new ModelCheckpoint(options);
    const { epoch, files } = trainer(dirpath);
    await epoch(first, { 'val/loss': 2 });
    const second = new ModelCheckpoint(options);
    await second.loadState(new Map(Object.entries(first.state())));
    await epoch(second, { 'val/loss': 3 });
    expect(files()).toEqual(['epoch=000000.ckpt']);
    await epoch(second, { 'val/loss': 1 });
    expect(files()).toEqual(['epoch=000002.ckpt']);
  });

  it('formats names as Lightning', () => {
    const values = { epoch: 3, step: 42, 'val/rec_loss': 0.12345 };
    expect(formatCheckpointName('{epoch:06}-{step:09}', values)).toBe('epoch=000003-step=000000042');
    expect(formatCheckpointName('{epoch}-{val/rec_loss:.2f}', values)).toBe('epoch=3-val/rec_loss=0.12');
    expect(formatCheckpointName('{epoch:02d}_{val/rec_loss:.1e}', values, { insertNames: false })).toBe('03_1.2e-01');
    expect(formatCheckpointName('{missing:d}', values)).toBe('missing=0');
    expect(() => formatCheckpointName('{epoch:x!}', values)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});
