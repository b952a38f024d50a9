/** Charts of a training's loss terms, from the metrics in its log folder. */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import type { Panel } from '../pictures/line-chart';

type Points = (readonly [x: number, y: number])[];

/** Points of a curve at most: more would only thicken it. */
const MOST_POINTS = 300;

/** One chart: which terms share it. Terms that a training does not log are left out. */
interface Group {
  title: string;
  yLabel: string;
  logarithmic?: boolean;
  /** Left out while nothing moves: the discriminator is off, or has not begun. */
  moving?: boolean;
  terms: readonly string[];
}

const GROUPS: readonly Group[] = [
  {
    title: 'Reconstruction: mean error of the pixels, and LPIPS where it is on',
    yLabel: 'rec_loss',
    logarithmic: true,
    terms: ['rec_loss', 'p_loss'],
  },
  {
    title: 'The same as a negative log-likelihood: the sum over an image (taming: its mean)',
    yLabel: 'nll_loss',
    terms: ['nll_loss'],
  },
  { title: 'Regularization of the latents', yLabel: 'kl_loss', terms: ['kl_loss'] },
  { title: 'Regularization of the latents', yLabel: 'quant_loss', terms: ['quant_loss'] },
  {
    title: 'Adaptive weight of the adversarial part (which counts from disc_start on)',
    yLabel: 'd_weight',
    moving: true,
    terms: ['d_weight'],
  },
  {
    title: 'Discriminator: disc_loss (hinge: 1 means that it cannot tell)',
    yLabel: 'disc_loss',
    moving: true,
    terms: ['disc_loss'],
  },
  {
    title: 'Answers of the discriminator',
    yLabel: 'logits',
    moving: true,
    terms: ['logits_real', 'logits_fake'],
  },
  {
    title: 'Diffusion: error of the prediction',
    yLabel: 'loss',
    logarithmic: true,
    terms: ['loss_simple', 'loss_vlb'],
  },
];

/** The metrics of a log folder, one object for each logged step. @throws LdmError ERR_FILE */
function readMetrics(folder: string): Record<string, number | null>[] {
  const file = path.join(folder, 'metrics.jsonl');
  if (!fs.existsSync(file)) {
    throw new LdmError(
      'ERR_FILE',
      `${folder} holds no metrics.jsonl. Expected the log folder of a training, such as logs/2026-01-31T12-00-00_name`,
    );
  }
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

/** A metric by step, averaged over equal pieces. */
function curve(entries: readonly Record<string, number | null>[], metric: string): Points {
  const points = entries
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

/** A metric of a log folder by step, averaged over equal pieces. @throws LdmError ERR_FILE */
export function metricCurve(folder: string, metric: string): Points {
  return curve(readMetrics(folder), metric);
}

const isFlat = (points: Points): boolean => points.length > 1 && points.every(([, y]) => y === points[0][1]);

/**
 * The loss terms of a training over its steps.
 * @param folder log folder
 * @throws LdmError ERR_FILE, ERR_DATA when it logged no known term
 */
export function trainingPanels(folder: string): Panel[] {
  const entries = readMetrics(folder);
  const panels = GROUPS.map(({ terms, moving, ...group }) => ({
    ...group,
    xLabel: 'optimizer step',
    series: terms
      .map((term) => ({ name: `train/${term}`, points: curve(entries, `train/${term}`) }))
      .filter(({ points }) => points.length > 0 && !(moving && isFlat(points))),
  })).filter(({ series }) => series.length > 0);
  if (panels.length === 0) {
    const found = [...new Set(entries.flatMap((entry) => Object.keys(entry)))].slice(0, 8).join(', ');
    throw new LdmError('ERR_DATA', `${folder} logged no loss term yet. Found: ${found || 'nothing'}`);
  }
  return panels;
}
