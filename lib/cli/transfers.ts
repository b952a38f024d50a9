/** Shows downloads and unpacking, one progress display after another. */

import type { Output } from './output';
import { Progress } from './progress';

const MEGABYTE = 1e6;

export class Transfers {
  private label = '';
  private current: Progress | undefined;

  constructor(private readonly output: Output) {}

  /** Shows the state; a new label starts a new display. */
  update(label: string, done: number, total: number | undefined, unit: 'bytes' | 'files'): void {
    if (label !== this.label) {
      this.end();
      this.label = label;
      this.current = new Progress(this.output, { label, unit: unit === 'bytes' ? 'MB' : 'files' });
    }
    const scale = unit === 'bytes' ? MEGABYTE : 1;
    const count = (n: number) => Math.round(n / scale);
    this.current?.update(count(done), {}, total === undefined ? undefined : count(total));
  }

  /** A remark between two states. */
  note(text: string): void {
    this.end();
    this.output.note(text);
  }

  /** Leaves the display. */
  end(): void {
    this.current?.end();
    this.current = undefined;
    this.label = '';
  }
}
