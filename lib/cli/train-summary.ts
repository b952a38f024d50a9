/** What a training leaves behind, in a few lines and two charts. */
import path from 'node:path';
import { LdmError } from '../errors';
import { native } from '../native';
import { trainingPanels } from '../plots';
import type { Metrics } from '../training/metrics';
import type { FitResult } from '../training/trainer-options';
import { writeChart } from './chart-file';
import { formatBytes } from './format';
import { formatDuration } from './progress';

/** Counts from the beginning of a training. */
export class TrainClock {
  readonly #startedAt = performance.now();
  #first: number | undefined;

  /** @param step optimizer steps done, also before this run */
  note(step: number): void {
    this.#first ??= step - 1;
  }

  /** Steps of this run, their images, and the speed over all of it, validation and checkpoints included. */
  totals(result: FitResult, imagesPerStep: number) {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const images = (result.globalStep - (this.#first ?? result.globalStep)) * imagesPerStep;
    return { seconds, images, images_per_second: images / seconds, peak_memory: native().memoryUsage().peakRss };
  }
}

export type TrainTotals = ReturnType<TrainClock['totals']>;

/** Draws the loss terms into a log folder; null where nothing was logged. */
export function drawCurves(logdir: string): { png: string; svg: string } | null {
  try {
    const panels = trainingPanels(logdir);
    const files = { png: path.join(logdir, 'curves.png'), svg: path.join(logdir, 'curves.svg') };
    for (const file of Object.values(files)) writeChart(file, panels);
    return files;
  } catch (error) {
    // A run of no steps, or one that writes no files: that is no reason to fail after a training.
    if (LdmError.is(error)) return null;
    throw error;
  }
}

/** The terms that say most, by the ends of their names, in the order in which they are shown. */
const SHOWN = ['rec_loss', 'loss_simple', 'kl_loss', 'quant_loss', 'disc_loss'];

/** Lines for people. */
export function summaryLines(about: {
  result: FitResult;
  totals: TrainTotals;
  metrics: Metrics;
  checkpoint: string | null;
  curves: { png: string } | null;
}): string[] {
  const { result, totals, metrics, checkpoint, curves } = about;
  const { seconds, images_per_second: speed, peak_memory: memory } = totals;
  const speeds = `${formatDuration(seconds)}, ${speed.toPrecision(3)} images/s, at most ${formatBytes(memory)} of memory`;
  const losses = Object.entries(metrics)
    .map(([name, value]) => ({ name, value, place: SHOWN.findIndex((end) => name.endsWith(`/${end}`)) }))
    // A discriminator that is off has a loss of exactly 0, which would look like a perfect one.
    .filter(({ name, value, place }) => place >= 0 && !(value === 0 && name.endsWith('/disc_loss')))
    .sort((a, b) => a.place - b.place);
  const lines = [`${result.globalStep} steps, epoch ${result.epoch}: ${speeds}`];
  if (losses.length > 0) lines.push(losses.map(({ name, value }) => `${name} ${value.toPrecision(4)}`).join(', '));
  if (result.skippedSteps > 0) lines.push(`${result.skippedSteps} steps were left out: something was not finite`);
  if (checkpoint) lines.push(`checkpoint: ${checkpoint}`);
  if (curves) lines.push(`curves: ${curves.png}`);
  return lines;
}
