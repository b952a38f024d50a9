/** `ldm plot`: the numbers behind the charts are the library's, and the files are what their names say. */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { ganPanels, schedulePanels, trainingPanels } from '../../lib/plots';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { runLdm } from './run-ldm';

const folder = useTempFolder();
const at = (...parts: string[]) => path.join(folder(), ...parts);

test('hinge and vanilla are their formulas to float32', async () => {
  const [real, fake, generator] = await ganPanels();
  const formulas: Record<string, (x: number) => number> = {
    hinge: (x) => Math.max(0, 1 + x) / 2,
    vanilla: (x) => Math.log1p(Math.exp(x)) / 2,
  };
  expect(fake!.series.map(({ name }) => name)).toEqual(['hinge', 'vanilla']);
  for (const { name, points } of fake!.series)
    for (const [x, y] of points) expect(Math.abs(y - formulas[name]!(x))).toBeLessThan(1e-5);
  for (const { name, points } of real!.series)
    for (const [x, y] of points) expect(Math.abs(y - formulas[name]!(-x))).toBeLessThan(1e-5);
  for (const [x, y] of generator!.series[0]!.points) expect(y).toBeCloseTo(-x, 4);
});

test('the schedules keep what their definitions say', async () => {
  const [kept, betas] = await schedulePanels({ timesteps: 50 });
  const end = (name: string, panel = betas!) => panel.series.find((s) => s.name === name)!.points.at(-1)![1];
  expect(betas!.series.map(({ name }) => name)).toEqual(['linear', 'cosine', 'sqrt_linear', 'sqrt']);
  for (const { points } of kept!.series) {
    expect(points).toHaveLength(50);
    for (const [i, [, y]] of points.entries()) if (i > 0) expect(y).toBeLessThan(points[i - 1]![1]);
  }
  expect(end('linear')).toBeCloseTo(0.0195, 6);
  expect(end('sqrt_linear')).toBeCloseTo(0.0195, 6);
  expect(end('sqrt')).toBeCloseTo(Math.sqrt(0.0195), 6);
  expect(end('cosine')).toBeCloseTo(0.999, 6);
});

test('what a discriminator that is off logs is left out', () => {
  const entry = (step: number, weight: number) => ({
    step,
    'train/rec_loss': 1 / (step + 1),
    'train/disc_loss': 0,
    'train/logits_real': 0,
    'train/d_weight': weight,
  });
  const write = (weights: number[]) =>
    writeFiles(folder(), { 'metrics.jsonl': weights.map((w, step) => JSON.stringify(entry(step, w))).join('\n') });
  write([0, 0, 0]);
  expect(trainingPanels(folder()).map(({ yLabel }) => yLabel)).toEqual(['rec_loss']);
  write([0, 0, 0.5]);
  expect(trainingPanels(folder()).map(({ yLabel }) => yLabel)).toEqual(['rec_loss', 'd_weight']);
});

test('loss terms come from the metrics of a log folder; an unfit folder is named', () => {
  const lines = [0, 1, 2].map((step) =>
    JSON.stringify({ step, 'train/rec_loss': 1 / (step + 1), 'train/d_weight': step }),
  );
  writeFiles(folder(), { 'metrics.jsonl': `${lines.join('\n')}\n` });
  const panels = trainingPanels(folder());
  expect(panels.map(({ series }) => series.map((s) => [s.name, s.points]))).toEqual([
    [
      [
        'train/rec_loss',
        [
          [0, 1],
          [1, 0.5],
          [2, 1 / 3],
        ],
      ],
    ],
    [
      [
        'train/d_weight',
        [
          [0, 0],
          [1, 1],
          [2, 2],
        ],
      ],
    ],
  ]);
  expect(() => trainingPanels(at('none'))).toThrow(/holds no metrics\.jsonl.*log folder/);
});

test('the command writes SVG and PNG; wrong usage is exit code 2', async () => {
  const svg = await runLdm('plot', 'bound', '--timesteps', '20', '--out', at('bound.svg'));
  expect(svg).toMatchObject({ code: 0, stdout: `${at('bound.svg')}\n`, stderr: '' });
  expect(fs.readFileSync(at('bound.svg'), 'utf8')).toMatch(/^<svg.*lvlb_weights/s);
  writeFiles(folder(), { 'metrics.jsonl': '{"step":0,"train/loss_simple":1}\n{"step":1,"train/loss_simple":0.5}\n' });
  expect((await runLdm('plot', 'losses', folder(), '--out', at('losses.png'))).code).toBe(0);
  expect((await sharp(at('losses.png')).metadata()).width).toBe(900);
  expect((await runLdm('plot', 'losses')).code).toBe(2);
  expect((await runLdm('plot', 'steps', 'cat.png')).code).toBe(2);
  expect((await runLdm('plot', 'schedules', '--out', 'x.gif')).code).toBe(2);
});
