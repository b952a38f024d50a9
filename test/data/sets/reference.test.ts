/** Data sets on a small tree in the official layouts give what the reference's classes give (make-expected.py). */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { resolveNode } from '../../../lib/config';
import type { ArrayValue, Dataset, Sample } from '../../../lib/data';
import { DataRandom, openDataset } from '../../../lib/data';
import cases from './cases.json';
import expected from './expected.json';
import { writeTree } from './tree';

const before = { folder: process.cwd(), cache: process.env.XDG_CACHE_HOME };
const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-sets-')));

beforeAll(async () => {
  await writeTree(root);
  process.chdir(root);
  process.env.XDG_CACHE_HOME = path.join(root, 'cache');
});
afterAll(() => {
  process.chdir(before.folder);
  if (before.cache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before.cache;
  fs.rmSync(root, { recursive: true });
});

interface Summary {
  shape: number[];
  sum: number;
  squares: number;
  /** Evenly spaced, from the first to the last. */
  values: number[];
}

test.each(cases.map(({ target, params }, number) => [target, params, number] as const))(
  '%s %j',
  async (target, params, number) => {
    const dataset = openDataset(resolveNode({ target, params })) as Dataset;
    const samples = expected[number] as unknown as Record<string, unknown>[];
    expect(dataset.length).toBe(samples.length);
    for (const [index, wanted] of samples.entries()) {
      const sample = await dataset.get(index, new DataRandom(7, number, index));
      expect(Object.keys(sample).sort()).toEqual(Object.keys(wanted).sort());
      for (const [key, value] of Object.entries(wanted)) compare(sample, key, value, target.includes('annotated'));
    }
  },
);

/** torch's sums of resized tensors differ in the last bit at times: one level in a picture may then be another. */
function compare(sample: Sample, key: string, wanted: unknown, byTorch: boolean): void {
  const summary = wanted as Summary;
  if (!summary?.shape) {
    expect(relative(sample[key])).toEqual(wanted);
    return;
  }
  const { shape, at, length } = arrayOf(sample[key] as ArrayValue);
  expect([key, shape]).toEqual([key, summary.shape]);
  let [sum, squares] = [0, 0];
  for (let i = 0; i < length; i++) {
    sum += at(i);
    squares += at(i) ** 2;
  }
  const slack = byTorch && key === 'image' ? 2 / 127.5 : 1e-3;
  expect(Math.abs(sum - summary.sum)).toBeLessThan(slack);
  expect(Math.abs(squares - summary.squares)).toBeLessThan(2 * slack);
  const places = summary.values.map((_, k) => Math.floor((k * (length - 1)) / (summary.values.length - 1)));
  expect(places.map(at)).toEqual(summary.values.map((v) => expect.closeTo(v, 6)));
}

/** The reference's paths begin in the current folder. */
function relative(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(`${root}${path.sep}`, '') : value;
}

function arrayOf({ data, shape, oneHot }: ArrayValue): { shape: number[]; at: (i: number) => number; length: number } {
  if (oneHot === undefined) return { shape: [...shape], at: (i) => Number(data[i]), length: data.length };
  const at = (i: number) => (data[Math.floor(i / oneHot)] === i % oneHot ? 1 : 0);
  return { shape: [...shape, oneHot], at, length: data.length * oneHot };
}
