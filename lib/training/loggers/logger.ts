/** Where the numbers and pictures of a run go. */
import type { Metrics } from '../metrics';

/** Where in a run something was measured. */
export interface LogPlace {
  step: number;
  epoch: number;
  /** Values of one batch, or means over an epoch (or a whole data set). */
  of: 'step' | 'epoch';
}

/** The size of a picture: 1 channel is grey, 3 are RGB. */
export interface ImageSize {
  width: number;
  height: number;
  channels: number;
}

/** One kind of file. Files are made with the first entry; what was logged is in the file when the method returns. */
export interface Logger {
  log(values: Metrics, at: LogPlace): void;
  image?(tag: string, png: Uint8Array, size: ImageSize, step: number): void;
  close(): void;
}

/** Writes to several loggers. */
export class MetricsLogger implements Logger {
  readonly #loggers: readonly Logger[];

  constructor(...loggers: readonly Logger[]) {
    this.#loggers = loggers;
  }

  log(values: Metrics, at: LogPlace): void {
    if (Object.keys(values).length > 0) for (const logger of this.#loggers) logger.log(values, at);
  }
  /** A picture, for the loggers that take some. */
  image(tag: string, png: Uint8Array, size: ImageSize, step: number): void {
    for (const logger of this.#loggers) logger.image?.(tag, png, size, step);
  }
  close(): void {
    for (const logger of this.#loggers) logger.close();
  }
}
