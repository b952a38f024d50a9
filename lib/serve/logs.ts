/** Log folders of trainings: what they hold now. As with models, requests name what a list holds, and never a path. */
import fs from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../config';
import { configsOf, LogFolder } from '../training/log-folder';
import { expectFolder } from './expect-folder';
import { HttpError } from './http-error';
import type { LogDetails, LogEntry, LogImage, LogSeries } from './protocol';

/** Points of a curve, at most; more are averaged. */
const POINTS = 400;
const DEPTH = 4;
/** A run that has written within so many milliseconds is taken to be running. */
const ALIVE_MS = 60_000;
/** What a line of metrics holds beside the values. */
const NOT_VALUES = ['step', 'epoch', 'time'];

interface Run {
  id: string;
  root: string;
}

export class Logs {
  /** Parsed metrics by file, so that a growing file is read once. */
  readonly #read = new Map<string, MetricsFile>();

  /**
   * @param roots folders in which log folders lie, or log folders
   * @throws LdmError ERR_FILE for one that is not there
   */
  constructor(private readonly roots: readonly string[]) {
    for (const root of roots) expectFolder(root);
  }

  get any(): boolean {
    return this.roots.length > 0;
  }

  /** The latest first. */
  list(): LogEntry[] {
    const entries = this.#runs().map(({ id, root }) => {
      const modified = modifiedAt(root);
      return { id, name: path.basename(root), modified, running: Date.now() - modified < ALIVE_MS };
    });
    return entries.sort((a, b) => b.modified - a.modified);
  }

  /** @throws HttpError 404 */
  details(id: string): LogDetails {
    const { root } = this.#run(id);
    const folder = new LogFolder(root);
    const rows = this.#rows(folder.metrics);
    const [first, last] = [rows[0], rows.at(-1)];
    const modified = modifiedAt(root);
    return {
      id,
      name: path.basename(root),
      modified,
      running: Date.now() - modified < ALIVE_MS,
      target: targetOf(root),
      step: last?.step ?? 0,
      epoch: last?.epoch ?? 0,
      seconds: first && last ? last.time - first.time : 0,
      imagesPerSecond: throughput(rows, imagesPerStep(root)),
      memory: lastValue(rows, 'memory'),
      series: seriesOf(rows),
      images: this.#images(id, folder.images),
      checkpoints: checkpointsIn(folder.checkpoints),
    };
  }

  has(id: string): boolean {
    return this.#runs().some((run) => run.id === id);
  }

  /** When anything of it was written last; a number that changes when there is news. */
  modified(id: string): number {
    return modifiedAt(this.#run(id).root);
  }

  /** A picture of the list that {@link details} gives. @throws HttpError 404 */
  image(id: string, split: string, name: string): Buffer {
    const { images } = new LogFolder(this.#run(id).root);
    if (
      !readable(images).includes(split) ||
      !readable(path.join(images, split)).includes(name) ||
      !name.endsWith('.png')
    )
      throw new HttpError(404, 'no_such_picture', 'There is no such picture.');
    const file = path.join(images, split, name);
    if (!fs.realpathSync(file).startsWith(fs.realpathSync(images) + path.sep))
      throw new HttpError(404, 'no_such_picture', 'There is no such picture.');
    return fs.readFileSync(file);
  }

  #run(id: string): Run {
    const run = this.#runs().find((r) => r.id === id);
    if (!run) throw new HttpError(404, 'no_such_log', `There is no log folder '${id}'. GET /api/logs lists them.`);
    return run;
  }

  #runs(): Run[] {
    const found: Run[] = [];
    const ids = new Set<string>();
    for (const root of this.roots) {
      for (const folder of runsIn(root, 0)) {
        const id = path.relative(root, folder).split(path.sep).join('/') || path.basename(path.resolve(folder));
        if (!ids.has(id)) found.push({ id, root: folder });
        ids.add(id);
      }
    }
    return found;
  }

  #rows(file: string): Row[] {
    const known = this.#read.get(file) ?? new MetricsFile(file);
    this.#read.set(file, known);
    return known.rows();
  }

  #images(id: string, folder: string): LogImage[] {
    return readable(folder).flatMap((split) =>
      readable(path.join(folder, split)).flatMap((name) => {
        const parts = /^(.*)_gs-(\d+)_e-(\d+)_b-\d+\.png$/.exec(name);
        if (!parts) return [];
        const query = new URLSearchParams({ log: id, split, name });
        return {
          url: `api/logs/image?${query}`,
          split,
          kind: parts[1],
          step: Number(parts[2]),
          epoch: Number(parts[3]),
        };
      }),
    );
  }
}

type Row = Record<string, number> & { step: number; epoch: number; time: number };

/** A file of JSON lines that grows. */
class MetricsFile {
  #at = 0;
  #rest = '';
  #rows: Row[] = [];

  constructor(private readonly file: string) {}

  rows(): Row[] {
    if (!fs.existsSync(this.file)) return [];
    const { size } = fs.statSync(this.file);
    if (size < this.#at) [this.#at, this.#rest, this.#rows] = [0, '', []];
    if (size > this.#at) {
      const fd = fs.openSync(this.file, 'r');
      try {
        const bytes = Buffer.alloc(size - this.#at);
        const read = fs.readSync(fd, bytes, 0, bytes.length, this.#at);
        this.#at += read;
        const lines = (this.#rest + bytes.toString('utf8', 0, read)).split('\n');
        this.#rest = lines.pop()!;
        for (const line of lines) this.#add(line);
      } finally {
        fs.closeSync(fd);
      }
    }
    return this.#rows;
  }

  #add(line: string): void {
    try {
      const row = JSON.parse(line) as Row;
      if (typeof row?.step === 'number') this.#rows.push(row);
    } catch {
      // A line that a crash has cut off.
    }
  }
}

function* runsIn(folder: string, depth: number): Generator<string> {
  const names = readable(folder);
  if (names.includes('metrics.jsonl') || (names.includes('configs') && configsOf(folder).length > 0)) {
    yield folder;
    return;
  }
  if (depth >= DEPTH) return;
  for (const name of names) {
    const below = path.join(folder, name);
    if (!name.startsWith('.') && fs.lstatSync(below).isDirectory()) yield* runsIn(below, depth + 1);
  }
}

function readable(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function modifiedAt(root: string): number {
  const places = ['metrics.jsonl', 'checkpoints', 'images', 'images/train', 'images/val', 'configs'];
  const times = places.map((place) => fs.statSync(path.join(root, place), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.round(Math.max(...times));
}

function targetOf(root: string): string | null {
  try {
    const target = loadConfig(configsOf(root)).get('model.target');
    return typeof target === 'string' ? target.slice(target.lastIndexOf('.') + 1) : null;
  } catch {
    return null;
  }
}

/** Images of one batch, as the config says. */
function imagesPerStep(root: string): number | null {
  try {
    const size = loadConfig(configsOf(root)).get('data.params.batch_size');
    return typeof size === 'number' ? size : null;
  } catch {
    return null;
  }
}

/** By the last hundred entries, each of which is a mean over the steps since the one before. */
function throughput(rows: readonly Row[], images: number | null): number | null {
  const recent = rows.slice(-100);
  const [first, last] = [recent[0], recent.at(-1)];
  if (!images || !first || !last || last.time <= first.time || last.step <= first.step) return null;
  return ((last.step - first.step) * images) / (last.time - first.time);
}

function lastValue(rows: readonly Row[], name: string): number | null {
  for (let i = rows.length - 1; i >= 0; i--) if (typeof rows[i][name] === 'number') return rows[i][name];
  return null;
}

function seriesOf(rows: readonly Row[]): LogSeries[] {
  const series = new Map<string, [number, number][]>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (NOT_VALUES.includes(name) || typeof value !== 'number') continue;
      const points = series.get(name) ?? [];
      points.push([row.step, value]);
      series.set(name, points);
    }
  }
  return [...series].map(([name, points]) => ({ name, points: thinned(points) }));
}

/** Means of neighbours, so that no more than {@link POINTS} are left. */
function thinned(points: [number, number][]): [number, number][] {
  if (points.length <= POINTS) return points;
  const each = points.length / POINTS;
  return Array.from({ length: POINTS }, (_, i) => {
    const part = points.slice(Math.floor(i * each), Math.floor((i + 1) * each));
    return [part.at(-1)![0], part.reduce((sum, [, value]) => sum + value, 0) / part.length];
  });
}

function checkpointsIn(folder: string): LogDetails['checkpoints'] {
  return readable(folder)
    .filter((name) => name.endsWith('.ckpt'))
    .map((name) => {
      const { size, mtimeMs } = fs.statSync(path.join(folder, name));
      return { name, bytes: size, modified: Math.round(mtimeMs) };
    });
}
