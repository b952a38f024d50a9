/** Each workload on its tiny network, our side only: the bench itself compares it with the peer. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { workloads } from '../../lib/bench/workloads';
import { Tensor } from '../../lib/tensor';

const ROOT = path.join(__dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-bench-test-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test('names are unique, and each has its other side', () => {
  expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  for (const { peer } of workloads)
    expect(fs.existsSync(path.join(ROOT, 'bench/peers/workloads', `${peer}.py`))).toBe(true);
});

test('settings survive the way to another process', () => {
  for (const { settings } of workloads) {
    const value = settings('full');
    expect(JSON.parse(JSON.stringify(value))).toEqual(value);
  }
});

test.each(workloads.map((workload) => [workload.name, workload] as const))('%s', async (_, workload) => {
  for (const precision of workload.precisions ?? ['fp32']) {
    const settings = workload.settings('quick');
    await workload.prepare?.(settings, folder);
    const session = await workload.setup(settings, { device: 'cpu', precision, folder });
    const first = await values(session.run());
    const second = await values(session.run());
    expect(Object.keys(first).length).toBeGreaterThan(0);
    for (const [name, numbers] of Object.entries(first)) {
      expect(numbers.every(Number.isFinite)).toBe(true);
      expect(numbers.some((x) => x !== 0)).toBe(true);
      // Only training changes weights.
      if (!workload.trains) expect([name, second[name]]).toEqual([name, numbers]);
    }
  }
});

async function values(run: Promise<{ outputs: Record<string, Tensor | Float32Array> }>) {
  const { outputs } = await run;
  const read: Record<string, Float32Array> = {};
  for (const [name, value] of Object.entries(outputs))
    read[name] = value instanceof Tensor ? ((await value.to({ dtype: 'float32' }).data()) as Float32Array) : value;
  return read;
}
