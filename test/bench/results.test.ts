/** The file of results, and the tables made of it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { documentWithResults } from '../../lib/bench/document';
import { type BenchReport, type BenchResult, readReport, reportFile, saveReport } from '../../lib/bench/report';
import { markdown, textTable } from '../../lib/bench/table';
import { workloads } from '../../lib/bench/workloads';

const ROOT = path.join(__dirname, '../..');
const spread = (median: number) => ({ median, q1: median * 0.9, q3: median * 1.1 });

const result = (change: Partial<BenchResult> = {}): BenchResult => ({
  workload: 'kl-f8-decode-256',
  title: 'KL-f8 decode, 256x256',
  precision: 'fp32',
  size: 'full',
  device: 'cpu',
  threads: 1,
  rounds: 5,
  libtorch: '2.13.0',
  loopDelay: 1.1,
  ours: { seconds: spread(1.5), peakRss: 1.25e9 },
  peers: [
    {
      kind: 'pytorch',
      version: '2.13.0',
      seconds: spread(3),
      peakRss: 2e9,
      ratio: { median: 2, q1: 1.9, q3: 2.1 },
      deviation: 1.2e-6,
    },
  ],
  date: '2026-01-02',
  load: 1.2,
  ...change,
});
const report = (...results: BenchResult[]): BenchReport => ({ device: 'AMD EPYC', cpus: 2, memory: 24, results });

test('a result becomes one line', () => {
  expect(textTable([result()]).split('\n')[1].split(/ {2,}/)).toEqual([
    'KL-f8 decode, 256x256',
    'PyTorch',
    '1.50 s',
    '3.00 s',
    '2.00 (1.90 to 2.10)',
    '1.25 / 2.00 GB',
    '1e-6',
  ]);
});

test('Markdown has a section for each number of threads', () => {
  const text = markdown([report(result(), result({ threads: 2, precision: 'bf16' }))]);
  expect(text.match(/^### AMD EPYC$/gm)).toHaveLength(2);
  expect(text).toContain('| KL-f8 decode, 256x256, bf16 | PyTorch | 1.50 s |');
  expect(text).toContain('2 threads each');
  expect(text).not.toContain('load average');
  expect(markdown([report(result({ load: 7.8 }))])).toContain('load average up to 8');
});

test('new results replace those of the same kind only', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-bench-test-'));
  const file = path.join(folder, reportFile('Intel(R) Xeon(R) CPU @ 2.20GHz'));
  expect(path.basename(file)).toBe('intel-xeon-cpu-2-20ghz.json');
  saveReport(file, report(result(), result({ threads: 2 })));
  saveReport(file, report(result({ rounds: 7 })));
  expect(readReport(file)!.results.map(({ threads, rounds }) => [threads, rounds])).toEqual([
    [2, 5],
    [1, 7],
  ]);
  fs.writeFileSync(file, '{}');
  expect(() => readReport(file)).toThrow(/is no report of the bench/);
  fs.rmSync(folder, { recursive: true });
});

test('the tables of docs/performance.md are those of bench/results', () => {
  const { found, expected } = documentWithResults(ROOT);
  expect(found).toBe(expected);
});

test('what is in bench/results is measured by workloads that are there', () => {
  const names = workloads.map(({ name }) => name);
  const folder = path.join(ROOT, 'bench/results');
  const results = fs.readdirSync(folder).flatMap((file) => readReport(path.join(folder, file))!.results);
  expect(results.length).toBeGreaterThan(0);
  for (const { workload, size, rounds } of results) {
    expect(names).toContain(workload);
    expect(size).toBe('full');
    expect(rounds).toBeGreaterThanOrEqual(5);
  }
});
