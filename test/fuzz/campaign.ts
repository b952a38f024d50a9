/** Runs many mutated files through reader processes, and tells what went wrong and what it cost. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { readCorpus } from './corpus';
import { makeInput } from './input';
import type { Outcome } from './reader';

/** What an input may cost. */
export const LIMITS = { ms: 1000, grownMb: 128, hangMs: 20_000, openFiles: 64 };
/** Inputs of one process. */
const BATCH = 20_000;

export interface CampaignOptions {
  runs: number;
  seed: number;
  /** Number of the first input. */
  first?: number;
  /** Reader processes at a time. */
  jobs?: number;
  /** Folder for the inputs that something was found with. */
  keep?: string;
  onProgress?: (done: number) => void;
}

export interface Finding {
  index: number;
  what: string;
}

export interface CampaignResult {
  runs: number;
  /** By format: inputs, and how many of them were read in spite of their changes. */
  formats: Record<string, { inputs: number; read: number; refused: number }>;
  slowestMs: number;
  largestMb: number;
  findings: Finding[];
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const result: CampaignResult = { runs: 0, formats: {}, slowestMs: 0, largestMb: 0, findings: [] };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-fuzz-'));
  let next = options.first ?? 0;
  const end = next + options.runs;
  const worker = async (id: number) => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + BATCH);
      await readBatch(path.join(folder, String(id)), options, from, next, result);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.jobs ?? 1 }, (_, id) => worker(id)));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  if (options.keep && result.findings.length > 0) await keepFindings(options.keep, options.seed, result.findings);
  return result;
}

/** Reads a range of inputs; a process that dies or hangs is replaced by one that begins behind the bad input. */
async function readBatch(
  folder: string,
  options: CampaignOptions,
  from: number,
  to: number,
  result: CampaignResult,
): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  for (let at = from; at < to; ) {
    const begun = await readUntilItStops(folder, options, at, to, result);
    if (begun === null) return;
    at = begun + 1;
  }
}

/** Null when all inputs were read, else the number of the one that the process died of. */
function readUntilItStops(
  folder: string,
  { seed, onProgress }: CampaignOptions,
  from: number,
  to: number,
  result: CampaignResult,
): Promise<number | null> {
  const args = ['--import', 'tsx', path.join(__dirname, 'reader.ts'), folder, String(seed), String(from), String(to)];
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let begun = from - 1;
  let hung = false;
  let stderr = '';
  child.stderr.on('data', (part) => {
    stderr = `${stderr}${part}`.slice(-2000);
  });
  const kill = () => {
    hung = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(kill, 6 * LIMITS.hangMs); // libtorch has to be loaded first
  let finished = false;
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    clearTimeout(timer);
    timer = setTimeout(kill, LIMITS.hangMs);
    if (line.startsWith('b ')) begun = Number(line.split(' ')[1]);
    else if (line.startsWith('e ')) {
      take(result, JSON.parse(line.slice(2)) as Outcome);
      if (result.runs % 1000 === 0) onProgress?.(result.runs);
    } else if (line.startsWith('x ')) {
      finished = true;
      const { left, open } = JSON.parse(line.slice(2)) as { left: number; open: number };
      if (left > 0) result.findings.push({ index: begun, what: `${left} temporary folders were left behind` });
      if (open > LIMITS.openFiles) result.findings.push({ index: begun, what: `${open} files were left open` });
    }
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (finished && code === 0) return resolve(null);
      const what = hung ? `hangs for ${LIMITS.hangMs} ms` : `crash: exit code ${code}, signal ${signal}\n${stderr}`;
      result.findings.push({ index: begun, what });
      result.runs += 1;
      resolve(Math.max(begun, from));
    });
  });
}

function take(result: CampaignResult, { index, format, outcome, ms, grownMb }: Outcome): void {
  result.formats[format] ??= { inputs: 0, read: 0, refused: 0 };
  const counts = result.formats[format];
  counts.inputs += 1;
  result.runs += 1;
  if (outcome === 'read') counts.read += 1;
  else if (outcome === 'refused') counts.refused += 1;
  else result.findings.push({ index, what: outcome });
  if (ms > LIMITS.ms) result.findings.push({ index, what: `took ${Math.round(ms)} ms of processor time` });
  if (grownMb > LIMITS.grownMb) result.findings.push({ index, what: `grew by ${Math.round(grownMb)} MB` });
  result.slowestMs = Math.max(result.slowestMs, ms);
  result.largestMb = Math.max(result.largestMb, grownMb);
}

async function keepFindings(folder: string, seed: number, findings: readonly Finding[]): Promise<void> {
  const corpus = await readCorpus();
  fs.mkdirSync(folder, { recursive: true });
  for (const { index } of findings)
    fs.writeFileSync(path.join(folder, `seed${seed}-${index}.ckpt`), makeInput(corpus, seed, index).data);
}
