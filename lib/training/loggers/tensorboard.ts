/** Metrics and pictures for TensorBoard. */
import type { Metrics } from '../metrics';
import { EventWriter } from '../tensorboard/event-writer';
import type { ImageSize, Logger, LogPlace } from './logger';

/** Writes one event file into a folder. */
export class TensorBoardLogger implements Logger {
  readonly #folder: string;
  #events: EventWriter | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  log(values: Metrics, { step, epoch }: LogPlace): void {
    this.#writer.scalars({ ...values, epoch }, step);
  }
  image(tag: string, png: Uint8Array, size: ImageSize, step: number): void {
    this.#writer.image(tag, png, size, step);
  }
  close(): void {
    this.#events?.close();
    this.#events = undefined;
  }

  get #writer(): EventWriter {
    this.#events ??= new EventWriter(this.#folder);
    return this.#events;
  }
}
