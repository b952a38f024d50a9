/** Speed and remaining time of a run, measured over a window so that they follow what the machine does now. */

import type { Metrics } from './metrics';

/** What a run reports after each optimizer step. */
export interface TrainProgress {
  epoch: number;
  /** Optimizer steps done. */
  step: number;
  /** Steps that the run will make, or null where only time or nothing limits it. */
  maxSteps: number | null;
  /** Name and value of the loss that is shown. */
  loss: { name: string; value: number } | null;
  learningRate: number;
  /** Images per second over the last seconds. */
  imagesPerSecond: number;
  /** Seconds since the start of this run. */
  elapsed: number;
  /** Seconds that remain, or null where that is unknown. */
  eta: number | null;
  /** Resident memory of the process in bytes. */
  rss: number;
}

/** The loss to show: the reconstruction or noise loss where there is one, else the first. */
export function mainLoss(metrics: Readonly<Metrics>): TrainProgress['loss'] {
  const name =
    ['train/rec_loss', 'train/loss_simple', 'train/loss'].find((n) => n in metrics) ?? Object.keys(metrics)[0];
  return name === undefined ? null : { name, value: metrics[name] };
}

const WINDOW_SECONDS = 10;

/** Counts images over a sliding window. */
export class Throughput {
  readonly #events: { time: number; images: number }[] = [];

  /** @param now seconds of any steady clock */
  add(images: number, now: number): void {
    this.#events.push({ time: now, images });
    while (this.#events.length > 2 && this.#events[1].time < now - WINDOW_SECONDS) this.#events.shift();
  }

  /** Images per second; 0 before the second event. */
  get rate(): number {
    if (this.#events.length < 2) return 0;
    const span = this.#events.at(-1)!.time - this.#events[0].time;
    const images = this.#events.slice(1).reduce((sum, e) => sum + e.images, 0);
    return span > 0 ? images / span : 0;
  }
}

/**
 * Seconds until the first of the limits is reached.
 * @param done steps done in this run, and in which time
 */
export function remainingSeconds(
  done: { steps: number; seconds: number },
  limits: { steps: number | null; seconds: number | null },
): number | null {
  const byTime = limits.seconds === null ? null : Math.max(limits.seconds - done.seconds, 0);
  const perStep = done.steps > 0 ? done.seconds / done.steps : null;
  const bySteps = limits.steps === null || perStep === null ? null : Math.max(limits.steps - done.steps, 0) * perStep;
  if (byTime === null) return bySteps;
  return bySteps === null ? byTime : Math.min(byTime, bySteps);
}
