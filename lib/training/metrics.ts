/** Where numbers go: JSON lines for programs, TensorBoard events for people. */
import fs from 'node:fs';
import path from 'node:path';
import { EventWriter } from './tensorboard/event-writer';

/** Names and values, such as `train/rec_loss`. */
export type Metrics = Record<string, number>;

/** Writes metrics of one run; a resumed run appends. */
export class MetricsLogger {
  readonly #fd: number;
  readonly #events: EventWriter;

  /**
   * @param file the JSON lines file
   * @param eventFolder the folder of TensorBoard's files
   */
  constructor(file: string, eventFolder: string) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    this.#fd = fs.openSync(file, 'a');
    this.#events = new EventWriter(eventFolder);
  }

  /** One line `{"step", "epoch", "time", ...values}`. Values that are not finite become null, as JSON has none. */
  log(values: Metrics, at: { step: number; epoch: number }): void {
    fs.writeSync(this.#fd, `${JSON.stringify({ ...at, time: Date.now() / 1000, ...values })}\n`);
    this.#events.scalars({ ...values, epoch: at.epoch }, at.step);
  }

  /** A picture for TensorBoard. */
  image(tag: string, png: Uint8Array, size: { width: number; height: number; channels: number }, step: number): void {
    this.#events.image(tag, png, size, step);
  }

  close(): void {
    fs.closeSync(this.#fd);
    this.#events.close();
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
