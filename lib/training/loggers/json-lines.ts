/** Metrics as JSON lines, for programs. */
import fs from 'node:fs';
import path from 'node:path';
import type { Metrics } from '../metrics';
import type { Logger, LogPlace } from './logger';

/**
 * Appends one object `{"step", "epoch", "time", "memory", ...values}` an entry: seconds since 1970, bytes of the process. Values that
 * are not finite become null.
 */
export class JsonLinesLogger implements Logger {
  readonly #file: string;
  #fd: number | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  log(values: Metrics, { step, epoch }: LogPlace): void {
    if (this.#fd === undefined) {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true });
      this.#fd = fs.openSync(this.#file, 'a');
    }
    const surroundings = { step, epoch, time: Date.now() / 1000, memory: process.memoryUsage.rss() };
    fs.writeSync(this.#fd, `${JSON.stringify({ ...surroundings, ...values })}\n`);
  }
  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }
}
