/**
 * The bench: each workload runs in a process of ours and in one of each peer, in turns, so that what else the machine does
 * slows both. The first round warms up and compares what the sides give; it is not measured. Of trainings the second of
 * two steps in a row is.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { compiledWorker } from '../compiled-worker';
import { LdmError } from '../errors';
import type { RunAnswer, SideSpec } from './protocol';
import { pythonWithTorch } from './python';
import { type BenchReport, type BenchResult, emptyReport, type PeerKind, type SideResult } from './report';
import { SideProcess } from './side-process';
import { deviation, spreadOf } from './statistics';
import type { BenchPrecision, BenchSize, Workload } from './workload';

const PEERS = path.join(__dirname, '../../bench/peers/peer.py');

export interface BenchOptions {
  workloads: readonly Workload[];
  /** Arithmetic of our side; workloads that lack one are left out. Default fp32. */
  precisions?: readonly BenchPrecision[];
  /** Default 'full'. */
  size?: BenchSize;
  /** Measured rounds. Default 5. */
  rounds?: number;
  /** Of each side. Default: all processors. */
  threads?: number;
  /** Default 'cpu'. */
  device?: string;
  /** A Python with torch. Default: python3 where it has torch, else our own side with exact kernels is the peer. */
  python?: string;
  /** torch.compile as a second peer. Default false. */
  compile?: boolean;
  signal?: AbortSignal;
  onStart?(workload: Workload, precision: BenchPrecision): void;
  onResult?(result: BenchResult): void;
  /** A workload that failed; the others go on. Default: throw. */
  onFailure?(workload: Workload, precision: BenchPrecision, error: unknown): void;
}

/** One side while a workload is measured. */
interface Running {
  kind: 'ours' | PeerKind;
  process: SideProcess;
  /** Of the measured rounds. */
  runs: RunAnswer[];
  /** Of our event loop in the first round, milliseconds. */
  loopDelay?: number;
  outputs: Map<string, Float32Array>;
}

/** @throws LdmError ERR_SETUP when a side ends early; ERR_INVALID_ARGUMENT when the outputs differ; ERR_ABORTED */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { precisions = ['fp32'], device = 'cpu' } = options;
  const report = emptyReport(device);
  const python = await pythonWithTorch(options.python);
  if (options.compile && !python)
    throw new LdmError('ERR_SETUP', 'torch.compile needs a Python with torch: give --python');
  for (const workload of options.workloads)
    for (const precision of workload.precisions ?? ['fp32']) {
      if (!precisions.includes(precision)) continue;
      options.onStart?.(workload, precision);
      try {
        const result = await measure(workload, precision, python, options);
        report.results.push(result);
        options.onResult?.(result);
      } catch (error) {
        if (!options.onFailure || options.signal?.aborted) throw error;
        options.onFailure(workload, precision, error);
      }
    }
  return report;
}

async function measure(
  workload: Workload,
  precision: BenchPrecision,
  python: string | undefined,
  options: BenchOptions,
): Promise<BenchResult> {
  const { size = 'full', rounds = 5, device = 'cpu', threads = os.availableParallelism(), signal } = options;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-bench-'));
  const sides: Running[] = [];
  try {
    const settings = workload.settings(size);
    const spec: SideSpec = {
      workload: workload.name,
      peer: workload.peer,
      settings,
      threads,
      device,
      precision,
      compile: false,
      folder,
    };
    if (workload.prepare) await prepare({ ...spec, prepare: true }, signal);
    for (const kind of ['ours', ...peersFor(python, options)] as const)
      sides.push({ kind, process: await start(kind, spec, python, signal), runs: [], outputs: new Map() });
    for (let round = -1; round < rounds; round++) {
      // Who begins changes from round to round.
      const order = sides.map((_, i) => sides[(i + Math.abs(round)) % sides.length]);
      for (const side of order) {
        const first = round === -1;
        const file = first || !workload.trains ? path.join(folder, `${side.kind}.bin`) : null;
        // A step of a training follows another: one that is not measured fetches what a side gave back while it waited.
        if (workload.trains && !first) await side.process.run({ outputs: null, loopDelay: false });
        const answer = await side.process.run({ outputs: file, loopDelay: first });
        if (file !== null) side.outputs = readOutputs(file, answer);
        if (first) side.loopDelay = answer.loopDelay;
        else side.runs.push(answer);
      }
      if (round === -1 || !workload.trains)
        for (const peer of sides.slice(1)) compare(workload, precision, sides[0], peer);
    }
    return resultOf(workload, { precision, size, device, threads, rounds }, sides);
  } finally {
    for (const { process } of sides) await process.stop();
    fs.rmSync(folder, { recursive: true });
  }
}

function peersFor(python: string | undefined, { compile }: BenchOptions): PeerKind[] {
  if (!python) return ['exact-kernels'];
  return compile ? ['pytorch', 'pytorch-compile'] : ['pytorch'];
}

const ourCommand = (spec: SideSpec): [string, ...string[]] => {
  const file = compiledWorker('bench/side');
  if (!file) throw new LdmError('ERR_SETUP', 'The bench has not been compiled: run `npm run build`');
  return [process.execPath, file, JSON.stringify(spec)];
};

function start(
  kind: Running['kind'],
  spec: SideSpec,
  python: string | undefined,
  signal: AbortSignal | undefined,
): Promise<SideProcess> {
  const { env } = process;
  if (kind === 'ours') return SideProcess.start('This library', ourCommand(spec), env, signal);
  if (kind === 'exact-kernels') {
    // Peers compute in fp32, whatever our side does.
    const exact = ourCommand({ ...spec, precision: 'fp32' });
    return SideProcess.start('This library with exact kernels', exact, { ...env, LDM_KERNELS: 'exact' }, signal);
  }
  const command = [python!, PEERS, JSON.stringify({ ...spec, compile: kind === 'pytorch-compile' })] as const;
  return SideProcess.start(`The PyTorch side (${python})`, [...command], env, signal);
}

/** Lets our side write the files of a workload; in a process of its own, whose memory nobody measures. */
async function prepare(spec: SideSpec, signal: AbortSignal | undefined): Promise<void> {
  const [program, ...args] = ourCommand(spec);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], signal });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new LdmError('ERR_SETUP', `Preparing ${spec.workload} failed`);
}

function readOutputs(file: string, { outputs = [] }: RunAnswer): Map<string, Float32Array> {
  const bytes = fs.readFileSync(file);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  let at = 0;
  return new Map(
    outputs.map(([name, count]) => {
      at += count;
      return [name, values.subarray(at - count, at)];
    }),
  );
}

/** The largest deviation among the outputs. @throws LdmError when it is too large, or the outputs are others */
function compare(workload: Workload, precision: BenchPrecision, ours: Running, peer: Running): number {
  const allowed = workload.tolerance?.[precision] ?? { fp32: 1e-3, bf16: 0.1 }[precision];
  let largest = 0;
  for (const [name, expected] of peer.outputs) {
    const values = ours.outputs.get(name);
    const off = values?.length === expected.length ? deviation(values, expected) : Number.NaN;
    if (!(off <= allowed))
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `${workload.name}: '${name}' differs from that of ${peer.kind} by ${off} of its size, but only ${allowed} is allowed`,
      );
    largest = Math.max(largest, off);
  }
  return largest;
}

function resultOf(
  workload: Workload,
  about: Pick<BenchResult, 'precision' | 'size' | 'device' | 'threads' | 'rounds'>,
  [ours, ...peers]: readonly Running[],
): BenchResult {
  return {
    workload: workload.name,
    title: workload.title,
    ...about,
    libtorch: ours.process.version,
    loopDelay: ours.loopDelay!,
    ours: sideResult(ours),
    peers: peers.map((peer) => ({
      kind: peer.kind as PeerKind,
      version: peer.process.version,
      ...sideResult(peer),
      ratio: spreadOf(peer.runs.map((run, i) => run.seconds / ours.runs[i].seconds)),
      deviation: compare(workload, about.precision, ours, peer),
    })),
    date: new Date().toISOString().slice(0, 10),
    load: os.loadavg()[0],
  };
}

function sideResult({ process, runs }: Running): SideResult {
  const own = runs.map((run) => run.peakRss).filter((bytes) => bytes !== undefined);
  return {
    seconds: spreadOf(runs.map((run) => run.seconds)),
    peakRss: own.length > 0 ? Math.max(...own) : process.peakRss(),
  };
}
