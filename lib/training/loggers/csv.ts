/** Metrics as a CSV file with a column for each name, as Lightning's loggers write it. */
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../pictures/picture';
import type { Metrics } from '../metrics';
import type { Logger, LogPlace } from './logger';

/** Columns in front. */
const FIRST = ['step', 'epoch'];
const LAST = 'created_at';

/**
 * Appends a row an entry. A name that is new becomes a column: then the file is written anew, which happens a few times in
 * a run, at its beginning.
 */
export class CsvLogger implements Logger {
  readonly #file: string;
  #columns: string[] = [...FIRST, LAST];
  #fd: number | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  log(values: Metrics, { step, epoch }: LogPlace): void {
    const row: Record<string, string | number> = { step, epoch, ...values, [LAST]: timestamp(new Date()) };
    const added = Object.keys(row).filter((name) => !this.#columns.includes(name));
    if (this.#fd === undefined || added.length > 0) this.#widen(added);
    fs.writeSync(this.#fd!, line(this.#columns.map((name) => row[name] ?? '')));
  }
  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Adds columns at the end, before the time; rows that are there get empty cells. */
  #widen(added: readonly string[]): void {
    const rows = this.#fd === undefined ? [] : fs.readFileSync(this.#file, 'utf8').split('\n').slice(1, -1);
    this.close();
    this.#columns = [...this.#columns.slice(0, -1), ...added, LAST];
    const empty = ','.repeat(added.length);
    const widened = rows.map(
      (row) => `${row.slice(0, row.lastIndexOf(','))}${empty}${row.slice(row.lastIndexOf(','))}\n`,
    );
    fs.mkdirSync(path.dirname(this.#file), { recursive: true });
    writeFileAtomic(this.#file, line(this.#columns) + widened.join(''));
    this.#fd = fs.openSync(this.#file, 'a');
  }
}

/** Numbers as pandas writes them: Python's words for what is not finite are empty and inf. */
function line(cells: readonly (string | number)[]): string {
  const texts = cells.map((cell) => {
    if (typeof cell === 'number' && !Number.isFinite(cell)) return Number.isNaN(cell) ? '' : cell > 0 ? 'inf' : '-inf';
    const text = String(cell);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${texts.join(',')}\n`;
}

/** `2021-12-31 22:59:59.000000` in UTC, as test-tube writes it. */
function timestamp(date: Date): string {
  return `${date.toISOString().replace('T', ' ').slice(0, -1)}000`;
}
