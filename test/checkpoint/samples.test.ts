/** Sample files of every format against their manifest, and damaged or hostile ones, which must be refused. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../lib/checkpoint';
import { inspectCheckpoint } from '../../lib/inspect/checkpoint';
import { useTempFolder } from '../helpers/temp-folder';
import { zipOf } from '../helpers/zip';
import { DATA, statePickle, tensor } from './torch-file';

const folder = useTempFolder();

interface Expected {
  where: string;
  tensors: Record<string, { dtype: string; shape: number[]; sum?: any; l1?: number; first?: any[] }>;
}

/** A few samples lie here; all of them where the folder of the golden cases is beside the checkout. */
const SHARED = path.join(__dirname, '../../../shared/golden/checkpoints');
const OWN = path.join(__dirname, 'samples');
const [good, manifestFile] = fs.existsSync(SHARED)
  ? [path.join(SHARED, 'good'), path.join(SHARED, 'manifest.json')]
  : [OWN, path.join(OWN, 'manifest.json')];
const manifest = JSON.parse(fs.readFileSync(manifestFile, 'utf8'));

const plain = (value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : Array.isArray(value) ? value.map(plain) : value;

function expectClose(actual: unknown, expected: unknown): void {
  const [a, e] = [[plain(actual)], [expected]].map((v) => v.flat(2) as (number | boolean)[]);
  expect(a).toHaveLength(e.length);
  e.forEach((value, i) => {
    if (typeof value === 'number')
      expect(Math.abs((a[i] as number) - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value));
    else expect(a[i]).toBe(value);
  });
}

describe('good files equal the manifest', () => {
  test.each(Object.entries<Expected>(manifest.good))('%s', async (name, expected) => {
    const found = await inspectCheckpoint(path.join(good, name), { stats: true });
    expect(found.where).toBe(expected.where);
    expect(Object.keys(found.tensors).sort()).toEqual(Object.keys(expected.tensors).sort());
    for (const [key, want] of Object.entries(expected.tensors)) {
      const tensor = found.tensors[key];
      expect([tensor.dtype, tensor.shape]).toEqual([want.dtype, want.shape]);
      for (const field of ['sum', 'l1', 'first'] as const)
        if (want[field] !== undefined) expectClose(tensor[field], want[field]);
    }
  });
});

test('Lightning baggage is carried or skipped', async () => {
  using checkpoint = await readCheckpoint(path.join(OWN, 'baggage.ckpt'));
  expect(checkpoint).toMatchObject({ format: 'torch-zip', globalStep: 4242, epoch: 7, lightningVersion: '1.4.2' });
  expect(checkpoint.skippedClasses).toContain('omegaconf.dictconfig.DictConfig');
  const [optimizer] = checkpoint.optimizerStates;
  expect(optimizer.param_groups[0]).toMatchObject({ lr: 1e-3, betas: [0.9, 0.999], params: [0, 1] });
  expect((optimizer.state[0].exp_avg as any).shape).toEqual([2, 3]);
  // a numpy scalar within a list
  expect(checkpoint.lrSchedulers[0].get('_last_lr')).toEqual([2.5e-4]);
  expect((checkpoint.extra.get('misc') as Map<string, unknown>).get('bigint')).toBe(2n ** 80n);
});

test('the bytes of a big-endian machine are swapped', async () => {
  const file = path.join(folder(), 'big.ckpt');
  const zip = (byteorder: string, data: Buffer) =>
    zipOf({ 'archive/data.pkl': statePickle(tensor()), 'archive/data/0': data, 'archive/byteorder': byteorder });
  fs.writeFileSync(file, zip('big', Buffer.from(DATA).swap32()));
  using checkpoint = await readCheckpoint(file);
  expect(await checkpoint.stateDict.get('w')!.toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

const bad = path.join(SHARED, 'bad');
const describeBad = fs.existsSync(bad) ? describe : describe.skip;
describeBad('bad files are refused', () => {
  const entries = Object.entries<{ may_load?: boolean }>(manifest.bad ?? {});
  test.each(entries.length ? entries : [['none', {}]])('%s', async (name, { may_load: mayLoad }) => {
    if (mayLoad) {
      using checkpoint = await readCheckpoint(path.join(bad, name));
      expect(checkpoint.tensors.size).toBeGreaterThan(0);
      return;
    }
    const started = performance.now();
    await expect(readCheckpoint(path.join(bad, name))).rejects.toMatchObject({
      name: 'LdmError',
      code: 'ERR_CHECKPOINT',
      message: expect.stringContaining(name),
    });
    expect(performance.now() - started).toBeLessThan(1000);
    expect(fs.existsSync(manifest.marker_file)).toBe(false);
  });
});
