/** How the progress of a training is shown. */
import type { TrainProgress } from '../training/progress';
import type { Output } from './output';
import { formatDuration, Progress } from './progress';

/** A display for one training. A resumed one counts from where it went on. */
export class TrainDisplay {
  readonly #progress: Progress;
  #before: number | undefined;

  /** @param options.images images of one optimizer step */
  constructor(output: Output, options: { label: string; images: number }) {
    this.#progress = new Progress(output, { label: options.label, unit: 'images', perStep: options.images });
  }

  update({ epoch, step, maxSteps, loss, rss, eta }: TrainProgress): void {
    this.#before ??= step - 1;
    const fields = {
      step,
      epoch,
      ...(loss ? { [loss.name.replace(/^train\//, '')]: loss.value } : {}),
      memory: `${Math.round(rss / 2 ** 20)} MB`,
      ...(maxSteps === null && eta !== null ? { ETA: formatDuration(eta) } : {}),
    };
    this.#progress.update(step - this.#before, fields, maxSteps === null ? undefined : maxSteps - this.#before);
  }

  /** A line that does not tear the bar. */
  note(text: string): void {
    this.#progress.note(text);
  }

  end(): void {
    this.#progress.end();
  }
}
