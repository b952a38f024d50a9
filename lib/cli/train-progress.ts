/** How the progress of a training is shown. */
import type { TrainProgress } from '../training/progress';
import type { Output } from './output';
import { formatDuration, Progress } from './progress';

/** A display for one training. */
export class TrainDisplay {
  readonly #progress: Progress;
  readonly #startStep: number;

  /** @param options.images images of one optimizer step */
  constructor(output: Output, options: { label: string; images: number; maxSteps: number | null; startStep?: number }) {
    this.#startStep = options.startStep ?? 0;
    this.#progress = new Progress(output, {
      label: options.label,
      total: options.maxSteps ?? undefined,
      unit: 'images',
      perStep: options.images,
    });
  }

  update({ epoch, step, maxSteps, loss, rss, eta }: TrainProgress): void {
    this.#progress.update(step - this.#startStep, {
      step,
      epoch,
      ...(loss ? { [loss.name.replace(/^train\//, '')]: loss.value } : {}),
      memory: `${Math.round(rss / 2 ** 20)} MB`,
      ...(maxSteps === null && eta !== null ? { ETA: formatDuration(eta) } : {}),
    });
  }

  /** A line that does not tear the bar. */
  note(text: string): void {
    this.#progress.note(text);
  }

  end(): void {
    this.#progress.end();
  }
}
