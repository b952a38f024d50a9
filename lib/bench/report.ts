/** Results of the bench, and the file that keeps them. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LdmError } from '../errors';
import { native } from '../native';
import { writeFileAtomic } from '../pictures/picture';
import type { Spread } from './statistics';
import type { BenchPrecision, BenchSize } from './workload';

/** What our side is compared with. */
export type PeerKind = 'pytorch' | 'pytorch-compile' | 'exact-kernels';

export interface SideResult {
  /** Of a run. */
  seconds: Spread;
  /** Bytes; without what setting up took. */
  peakRss: number;
}

export interface PeerResult extends SideResult {
  kind: PeerKind;
  /** Of PyTorch, or of libtorch for `exact-kernels`. */
  version: string;
  /** The peer's time as a multiple of ours, round by round. */
  ratio: Spread;
  /** Root mean square of the difference between the outputs of both sides, as a part of the peer's. */
  deviation: number;
}

export interface BenchResult {
  workload: string;
  title: string;
  precision: BenchPrecision;
  size: BenchSize;
  /** 'cpu', 'cuda:0' */
  device: string;
  threads: number;
  rounds: number;
  /** Version of libtorch. */
  libtorch: string;
  /** Of our event loop during the first run, which is not measured: 99th percentile in milliseconds. */
  loopDelay: number;
  ours: SideResult;
  peers: PeerResult[];
  /** Day of the measurement. */
  date: string;
  /** Load average of the machine when it ended: beyond `threads`, others wanted the processors, too. */
  load: number;
}

export interface BenchReport {
  /** CPU model, or name of the GPU. */
  device: string;
  /** Processors that were there, and GB of memory. */
  cpus: number;
  memory: number;
  results: BenchResult[];
}

/** The machine, with no results yet. @throws LdmError ERR_DEVICE when the device is not there */
export function emptyReport(device: string): BenchReport {
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return { device: nameOf(device), cpus: os.availableParallelism(), memory, results: [] };
}

function nameOf(device: string): string {
  if (device === 'cpu') return os.cpus()[0].model.trim();
  const { cudaDevices } = native().info();
  const index = /^cuda(?::(\d+))?$/.exec(device);
  const name = index && cudaDevices[Number(index[1] ?? 0)];
  if (name) return name.trim();
  const there = ['cpu', ...cudaDevices.map((gpu, i) => `cuda:${i} (${gpu})`)];
  throw new LdmError('ERR_DEVICE', `There is no device ${device}. There are: ${there.join(', ')}.`);
}

/** File name for a device: 'AMD EPYC 9B45' is amd-epyc-9b45.json. */
export function reportFile(device: string): string {
  return `${device
    .toLowerCase()
    .replace(/\((r|tm)\)/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')}.json`;
}

/** @throws LdmError ERR_FILE when the file is there but no report */
export function readReport(file: string): BenchReport | undefined {
  if (!fs.existsSync(file)) return undefined;
  try {
    const report = JSON.parse(fs.readFileSync(file, 'utf8')) as BenchReport;
    if (!Array.isArray(report.results)) throw new Error('it has no results');
    return report;
  } catch (error) {
    throw new LdmError('ERR_FILE', `${path.resolve(file)} is no report of the bench: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Writes a report. Results of a file that is there already stay, unless they are of the same workload, precision, size,
 * device and number of threads.
 */
export function saveReport(file: string, report: BenchReport): void {
  const key = (r: BenchResult) => [r.workload, r.precision, r.size, r.device, r.threads].join();
  const fresh = new Set(report.results.map(key));
  const earlier = readReport(file);
  const kept = earlier?.device === report.device ? earlier.results.filter((r) => !fresh.has(key(r))) : [];
  const merged = { ...report, results: [...kept, ...report.results] };
  writeFileAtomic(file, `${JSON.stringify(merged, rounded, 1)}\n`);
}

/** Four digits are more than any measurement holds. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
