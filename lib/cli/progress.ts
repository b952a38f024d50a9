/** Progress of a long command: a bar on a terminal, a plain line now and then elsewhere. Writes to stderr. */
import type { Output } from './output';
import { Rate } from './rate';

const BAR_WIDTH = 24;
const REDRAW_MS = 100;

export interface ProgressOptions {
  /** What is being done, such as 'training the autoencoder'. */
  label: string;
  /** How many steps there are; without it there is no bar and no remaining time. */
  total?: number;
  /** What the rate counts; default 'steps'. */
  unit?: string;
  /** How many of that unit one step is, such as the batch size; default 1. */
  perStep?: number;
  /** Milliseconds between two plain lines; default 5000. */
  lineEveryMs?: number;
  /** Clock, in milliseconds; for tests. */
  now?: () => number;
}

/** Values beside the bar, such as the loss. */
export type ProgressFields = Readonly<Record<string, string | number>>;

export class Progress {
  private readonly terminal: boolean;
  private readonly now: () => number;
  private readonly rate = new Rate();
  private readonly startedAt: number;
  private total?: number;
  private shownAt = Number.NEGATIVE_INFINITY;
  private shown = '';
  private last = { done: 0, fields: {} as ProgressFields };
  private ended = false;

  constructor(
    private readonly output: Output,
    private readonly options: ProgressOptions,
  ) {
    this.terminal = output.stderr.isTTY === true;
    this.now = options.now ?? Date.now;
    this.total = options.total;
    this.startedAt = this.now();
    this.rate.add(0, this.startedAt);
  }

  /** @param done steps that are finished; the display follows when it is time for it */
  update(done: number, fields: ProgressFields = {}, total = this.total): void {
    this.total = total;
    const time = this.now();
    this.rate.add(done, time);
    this.last = { done, fields };
    const every = this.terminal ? REDRAW_MS : (this.options.lineEveryMs ?? 5000);
    if (time - this.shownAt >= every) this.show(time);
  }

  /** Shows the last state and leaves the bar's line. Called twice, it does nothing. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.show(this.now());
    if (this.terminal && !this.output.quiet) this.output.stderr.write('\n');
  }

  /** Writes a note without tearing the bar. */
  note(text: string): void {
    if (this.terminal && this.shown !== '' && !this.output.quiet) this.output.stderr.write('\r\x1b[K');
    this.output.note(text);
    if (this.terminal) this.shownAt = Number.NEGATIVE_INFINITY;
  }

  private show(time: number): void {
    if (this.output.quiet) return;
    const text = this.text(time);
    if (!this.terminal) {
      if (text !== this.shown) this.output.stderr.write(`${text}\n`);
    } else this.output.stderr.write(`\r\x1b[K${fit(text, this.output.stderr.columns ?? 80)}`);
    this.shown = text;
    this.shownAt = time;
  }

  private text(time: number): string {
    const { done, fields } = this.last;
    const { total } = this;
    const parts = [total === undefined ? `${done}` : `${done}/${total}`];
    for (const [name, value] of Object.entries(fields)) parts.push(`${name} ${formatField(value)}`);
    const stepsPerSecond = this.rate.perSecond();
    if (stepsPerSecond !== undefined && stepsPerSecond > 0) {
      const { unit = 'steps', perStep = 1 } = this.options;
      parts.push(`${formatRate(stepsPerSecond * perStep)} ${unit}/s`);
      if (total !== undefined && done < total) parts.push(`ETA ${formatDuration((total - done) / stepsPerSecond)}`);
    }
    if (total === undefined || done >= total) parts.push(formatDuration((time - this.startedAt) / 1000));
    return `${this.options.label}: ${this.bar(done, total)}${parts.join('  ')}`;
  }

  private bar(done: number, total: number | undefined): string {
    if (!this.terminal || !total) return '';
    const filled = Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH));
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] `;
  }
}

/** Seconds as '42s', '3m 05s' or '2h 07m'. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

function formatRate(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3);
}

function formatField(value: string | number): string {
  if (typeof value === 'string' || Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

/** A line that is longer than the terminal would scroll with every redraw. */
function fit(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
}
