/** The demo's loss curves. */
import fs from 'node:fs';
import path from 'node:path';
import { lineChart } from '../pictures/line-chart';
import { writeFileAtomic } from '../pictures/picture';

type Points = (readonly [x: number, y: number])[];

/** Points of a curve at most: more would only thicken it. */
const MOST_POINTS = 300;

/** Draws both trainings' losses. The options are their log folders. */
export function drawLosses(file: string, options: { autoencoder: string; diffusion: string }): void {
  const chart = lineChart([
    {
      title: 'KL-VAE: reconstruction (mean absolute error of pixels in [-1, 1])',
      xLabel: 'optimizer step',
      yLabel: 'rec_loss',
      logarithmic: true,
      series: [{ name: 'train/rec_loss', points: curve(options.autoencoder, 'train/rec_loss') }],
    },
    {
      title: 'Latent diffusion: error of the predicted noise (mean squared)',
      xLabel: 'optimizer step',
      yLabel: 'loss_simple',
      logarithmic: true,
      series: [{ name: 'train/loss_simple', points: curve(options.diffusion, 'train/loss_simple') }],
    },
  ]);
  writeFileAtomic(file, chart);
}

/** A metric of a log folder by step, averaged over equal pieces. */
function curve(root: string, metric: string): Points {
  const lines = fs.readFileSync(path.join(root, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const points = lines
    .map((line) => JSON.parse(line) as Record<string, number | null>)
    .filter((entry) => typeof entry[metric] === 'number')
    .map((entry) => [entry.step!, entry[metric]!] as const);
  const piece = Math.ceil(points.length / MOST_POINTS);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const averaged: Points = [];
  for (let i = 0; i < points.length; i += piece) {
    const part = points.slice(i, i + piece);
    averaged.push([mean(part.map((p) => p[0])), mean(part.map((p) => p[1]))]);
  }
  return averaged;
}
