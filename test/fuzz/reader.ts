/**
 * The process that reads mutated files: `reader.ts FOLDER SEED FROM TO`. It says on stdout which input it begins (`b`) and
 * how it ended (`e`), so that its parent knows what a crash or a hang was about.
 */
import fs from 'node:fs';
import path from 'node:path';
import { type Checkpoint, type FileTensor, readCheckpoint } from '../../lib/checkpoint';
import { printable } from '../../lib/checkpoint/errors';
import { LdmError } from '../../lib/errors';
import { inspectCheckpoint } from '../../lib/inspect';
import { readCorpus } from './corpus';
import { makeInput } from './input';

export interface Outcome {
  index: number;
  format: string;
  /** 'read', 'refused', or what was wrong with the reader. */
  outcome: string;
  /** Processor time in milliseconds: other jobs on the machine do not count. */
  ms: number;
  /** By how many MB the resident memory grew at its peak. */
  grownMb: number;
}

/** Reads a file as far as a program would without knowing it: names, shapes, counters, small tensors. */
export async function readAll(file: string): Promise<void> {
  using checkpoint = await readCheckpoint(file);
  await visit(checkpoint);
}

const SMALL = 64 << 10;
const MOST_TENSORS = 6;

async function visit(checkpoint: Checkpoint): Promise<void> {
  void [checkpoint.globalStep, checkpoint.epoch, checkpoint.lightningVersion, checkpoint.hyperParameters];
  void [checkpoint.lrSchedulers, checkpoint.hasEma, checkpoint.optimizerStates.length];
  const small: FileTensor[] = [];
  for (const tensor of checkpoint.tensors.values())
    if (small.length < MOST_TENSORS && tensor.bytes <= SMALL) small.push(tensor);
  for (const tensor of small) {
    const handle = tensor.tensor();
    const data = await handle.data();
    if (data.length !== handle.numel) throw new Error(`read ${data.length} elements instead of ${handle.numel}`);
  }
}

/** 'read' or 'refused'; anything else is a mistake of the reader. */
export async function outcomeOf(file: string, read: (file: string) => Promise<unknown> = readAll): Promise<string> {
  try {
    await read(file);
    return 'read';
  } catch (error) {
    if (!(error instanceof LdmError)) return `foreign error: ${(error as Error)?.stack ?? error}`;
    if (error.code !== 'ERR_CHECKPOINT') return `error of the wrong kind: ${error.code} ${error.message}`;
    if (!error.message.includes(file)) return `error without the file's name: ${error.message}`;
    if (error.message.length > 1000 || printable(error.message) !== error.message)
      return `unreadable error: ${error.message}`;
    return 'refused';
  }
}

/** Peak of the resident memory since the last call, and its present size, in MB. */
function memory(): { peak: number; now: number } {
  const status = fs.readFileSync('/proc/self/status', 'latin1');
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
  return { peak: field('VmHWM'), now: field('VmRSS') };
}

/** Runs something and measures it. */
export async function measured<T>(run: () => Promise<T>): Promise<{ result: T; ms: number; grownMb: number }> {
  fs.writeFileSync('/proc/self/clear_refs', '5'); // resets VmHWM
  const before = memory().now;
  const cpu = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(cpu);
  return { result, ms: (user + system) / 1000, grownMb: memory().peak - before };
}

const say = (text: string) => fs.writeSync(1, `${text}\n`);

async function main([folder, seed, from, to]: string[]): Promise<void> {
  const corpus = await readCorpus();
  const file = path.join(folder, 'input.ckpt');
  await outcomeOf(path.join(__dirname, '../checkpoint/samples/deflated.ckpt')); // loads libtorch
  for (let index = Number(from); index < Number(to); index++) {
    say(`b ${index}`);
    const { data, format } = makeInput(corpus, Number(seed), index);
    fs.rmSync(file, { force: true }); // a mapped file must not be changed in place
    fs.writeFileSync(file, data);
    const read = index % 20 === 0 ? (name: string) => inspectCheckpoint(name, { stats: true }) : readAll;
    const { result, ms, grownMb } = await measured(() => outcomeOf(file, read));
    say(`e ${JSON.stringify({ index, format, outcome: result, ms, grownMb } satisfies Outcome)}`);
  }
  const left = fs.readdirSync(process.env.TMPDIR!).filter((name) => name.startsWith('node-ldm-'));
  const open = fs.readdirSync('/proc/self/fd').length;
  say(`x ${JSON.stringify({ left: left.length, open })}`);
}

if (require.main === module) void main(process.argv.slice(2));
