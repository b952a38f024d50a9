/** Where numbers go: JSON lines for programs, TensorBoard events for people. */
import fs from 'node:fs';
import path from 'node:path';
import { EventWriter } from './tensorboard/event-writer';

/** Names and values, such as `train/rec_loss`. */
export type Metrics = Record<string, number>;

/** Writes metrics of one run; a resumed run appends. The files are made with the first entry. */
export class MetricsLogger {
  readonly #file: string;
  readonly #eventFolder: string;
  #open: { fd: number; events: EventWriter } | undefined;

  /**
   * @param file the JSON lines file
   * @param eventFolder the folder of TensorBoard's files
   */
  constructor(file: string, eventFolder: string) {
    this.#file = file;
    this.#eventFolder = eventFolder;
  }

  /** One line `{"step", "epoch", "time", ...values}`. Values that are not finite become null, as JSON has none. */
  log(values: Metrics, at: { step: number; epoch: number }): void {
    const { fd, events } = this.#files();
    fs.writeSync(fd, `${JSON.stringify({ ...at, time: Date.now() / 1000, ...values })}\n`);
    events.scalars({ ...values, epoch: at.epoch }, at.step);
  }

  /** A picture for TensorBoard. */
  image(tag: string, png: Uint8Array, size: { width: number; height: number; channels: number }, step: number): void {
    this.#files().events.image(tag, png, size, step);
  }

  close(): void {
    if (!this.#open) return;
    fs.closeSync(this.#open.fd);
    this.#open.events.close();
    this.#open = undefined;
  }

  #files(): { fd: number; events: EventWriter } {
    if (!this.#open) {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true });
      this.#open = { fd: fs.openSync(this.#file, 'a'), events: new EventWriter(this.#eventFolder) };
    }
    return this.#open;
  }
}

/** Averages of what was logged several times, weighted by batch size: the numbers of an epoch. */
export class MeanMetrics {
  readonly #sums = new Map<string, { sum: number; weight: number }>();

  add(values: Metrics, weight: number): void {
    for (const [name, value] of Object.entries(values)) {
      const entry = this.#sums.get(name) ?? { sum: 0, weight: 0 };
      entry.sum += value * weight;
      entry.weight += weight;
      this.#sums.set(name, entry);
    }
  }

  get values(): Metrics {
    return Object.fromEntries([...this.#sums].map(([name, { sum, weight }]) => [name, sum / weight]));
  }
}
