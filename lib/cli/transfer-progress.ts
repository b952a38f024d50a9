/** Progress of a download or of unpacking: a bar on a terminal, a line now and then elsewhere. Writes to stderr. */
const BAR_WIDTH = 24;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 5000;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export class TransferProgress {
  private label = '';
  private startedAt = 0;
  private startedWith = 0;
  private lastShown = 0;
  private drawn = false;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Shows the state; a new label starts a new bar. */
  update(label: string, done: number, total: number | undefined, unit: 'bytes' | 'files'): void {
    const now = Date.now();
    if (label !== this.label) {
      this.end();
      this.label = label;
      this.startedAt = now;
      this.startedWith = done;
      this.lastShown = this.stream.isTTY ? 0 : now;
    }
    const complete = total !== undefined && done >= total;
    if (!complete && now - this.lastShown < (this.stream.isTTY ? REDRAW_MS : LINE_EVERY_MS)) return;
    this.lastShown = now;
    const text = this.text(done, total, unit, now);
    if (this.stream.isTTY) {
      this.stream.write(`\r\x1b[K  ${this.bar(done, total)}${text}`);
      this.drawn = true;
    } else {
      this.stream.write(`  ${this.label}: ${text}\n`);
    }
    if (complete) this.end();
  }

  /** Leaves the bar's line. */
  end(): void {
    if (this.drawn) this.stream.write('\n');
    this.drawn = false;
    this.label = '';
  }

  private bar(done: number, total: number | undefined): string {
    if (!total) return '';
    const filled = Math.round((done / total) * BAR_WIDTH);
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] `;
  }

  private text(done: number, total: number | undefined, unit: 'bytes' | 'files', now: number): string {
    const show = (n: number) => (unit === 'bytes' ? megabytes(n) : `${n}`);
    const parts = [
      total ? `${Math.floor((100 * done) / total)} %` : '',
      show(done) + (total ? ` of ${show(total)}` : ''),
    ];
    const seconds = (now - this.startedAt) / 1000;
    const rate = (done - this.startedWith) / seconds;
    if (seconds > 0.5 && rate > 0) {
      parts.push(`${show(Math.round(rate))}/s`);
      if (total && done < total) parts.push(`${Math.ceil((total - done) / rate)} s left`);
    }
    return parts.filter(Boolean).join(', ');
  }
}
