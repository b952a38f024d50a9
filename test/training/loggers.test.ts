import fs from 'node:fs';
import path from 'node:path';
import { CsvLogger } from '../../lib/training/loggers/csv';
import { lightningLogger } from '../../lib/training/loggers/lightning';
import { useTempFolder } from '../helpers/temp-folder';

const folder = useTempFolder();
const rows = (file: string) => {
  const [head, ...lines] = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [head.split(',')[i], cell])));
};

it('writes metrics.csv with a column for each name, also for names that come later', () => {
  const file = path.join(folder(), 'a', 'metrics.csv');
  const logger = new CsvLogger(file);
  logger.log({ loss: 0.5, lr: 1e-7 }, { step: 0, epoch: 0, of: 'step' });
  logger.log({ loss: Number.NaN, 'val/loss': Number.POSITIVE_INFINITY }, { step: 1, epoch: 0, of: 'step' });
  logger.log({ 'val/loss': 2 }, { step: 1, epoch: 1, of: 'epoch' });
  logger.close();
  expect(fs.readFileSync(file, 'utf8').split('\n')[0]).toBe('step,epoch,loss,lr,val/loss,created_at');
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
  expect(rows(file)).toEqual([
    { step: '0', epoch: '0', loss: '0.5', lr: '1e-7', 'val/loss': '', created_at: time },
    { step: '1', epoch: '0', loss: '', lr: '', 'val/loss': 'inf', created_at: time },
    { step: '1', epoch: '1', loss: '', lr: '', 'val/loss': '2', created_at: time },
  ]);
  expect(fs.readdirSync(path.dirname(file))).toEqual(['metrics.csv']);
});

const logger = (target: string, params: Record<string, unknown> = {}) =>
  lightningLogger(
    {
      target: `pytorch_lightning.loggers.${target}`,
      params: { save_dir: '', name: 'testtube', version: null, ...params },
    },
    { saveDir: folder(), isForked: (name) => name.startsWith('train/') },
  );

it('gives each run a version, and values of steps the names of Lightning', () => {
  for (let run = 0; run < 2; run++) {
    const testtube = logger('TestTubeLogger');
    testtube.log({ 'train/loss': 1, lr: 2 }, { step: 0, epoch: 0, of: 'step' });
    testtube.log({ 'train/loss_epoch': 3 }, { step: 0, epoch: 0, of: 'epoch' });
    testtube.close();
  }
  const root = path.join(folder(), 'testtube');
  expect(fs.readdirSync(root).sort()).toEqual(['version_0', 'version_1']);
  expect(rows(path.join(root, 'version_1', 'metrics.csv'))).toMatchObject([
    { 'train/loss_step': '1', lr: '2', 'train/loss_epoch': '' },
    { 'train/loss_step': '', 'train/loss_epoch': '3' },
  ]);
  expect(fs.readdirSync(path.join(root, 'version_1', 'tf'))).toHaveLength(1);
});

it('writes what the config names, where it says', () => {
  const csv = logger('CSVLogger', { name: 'mine', version: 7 });
  csv.log({ a: 1 }, { step: 0, epoch: 0, of: 'epoch' });
  csv.close();
  expect(fs.readdirSync(path.join(folder(), 'mine', 'version_7'))).toEqual(['metrics.csv']);
  expect(() => logger('WandbLogger')).toThrow(
    expect.objectContaining({ code: 'ERR_UNKNOWN_TARGET', message: expect.stringContaining('CSVLogger') }),
  );
});
