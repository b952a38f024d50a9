/** The runner itself: its rules of comparison, the deterministic weights, cases without expectations, its command line. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint, writeSafetensors } from '../../lib/checkpoint';
import { op, Tensor } from '../../lib/tensor';
import { ROOT, runNode } from '../helpers/child';
import { useTempFolder } from '../helpers/temp-folder';
import { compareValues, type Values } from './runner/compare';
import { canonical } from './runner/json';
import { runCase } from './runner/runner';
import { skipped } from './runner/weights';

const floats = (...data: number[]): Values => ({
  dtype: 'float32',
  shape: [data.length],
  data: Float32Array.from(data),
});
const ints = (...data: number[]): Values => ({
  dtype: 'int64',
  shape: [data.length],
  data: BigInt64Array.from(data, BigInt),
});
const grey = (...data: number[]): Values => ({ dtype: 'uint8', shape: [data.length], data: Uint8Array.from(data) });

describe('comparison', () => {
  test.each<[string, Values, Values, any, number, boolean]>([
    ['within', floats(1, 2), floats(1.5, 2), 0.5, 1, true],
    ['beyond', floats(1, 2), floats(1.5, 2), 0.4, 1, false],
    ['beyond on the CPU, within on CUDA', floats(1, 2), floats(1.5, 2), 0.4, 4, true],
    ['shapes', floats(1), floats(1, 2), 1, 1, false],
    ['a NaN that is not expected', floats(NaN, 2), floats(1, 2), 1, 1, false],
    ['a number where NaN is expected', floats(1, 2), floats(NaN, 2), 1, 1, false],
    ['NaN for NaN', floats(NaN, 2), floats(NaN, 2), 1e-6, 1, true],
    ['infinity for infinity', floats(Infinity), floats(Infinity), 1e-6, 1, true],
    ['the other infinity', floats(-Infinity), floats(Infinity), 1e-6, 1, false],
    ['a number where infinity is expected', floats(1e30), floats(Infinity), 1e-6, 1, false],
    ['no allowance for floats', floats(1), floats(1), undefined, 1, false],
    ['equal integers', ints(1, 2), ints(1, 2), undefined, 1, true],
    ['an integer is off', ints(1, 3), ints(1, 2), undefined, 4, false],
    ['a table entry by entry', floats(1, 2), floats(1.1, 2), { ...floats(0.2, 0) }, 1, true],
    ['a table whose other entry is off', floats(1.1, 2.1), floats(1, 2), { ...floats(0.2, 0.01) }, 1, false],
    ['a picture, one level in half of it', grey(1, 2), grey(1, 3), { levels: 1, fraction: 0.5 }, 1, true],
    ['a picture, one level in too much of it', grey(1, 2), grey(2, 3), { levels: 1, fraction: 0.5 }, 1, false],
    ['a picture, two levels', grey(1, 2, 3, 4), grey(1, 2, 3, 6), { levels: 1, fraction: 0.5 }, 1, false],
  ])('%s', (_name, actual, expected, allowed, factor, ok) => {
    expect(compareValues('x', actual, expected, allowed, factor).ok).toBe(ok);
  });
  test('plain values: order of keys and kind of integer do not matter, everything else does', () => {
    expect(canonical({ a: 1, b: [2n, Infinity] })).toBe(canonical({ b: [2, Infinity], a: 1 }));
    expect(canonical(['1'])).not.toBe(canonical([1]));
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
  });
});

describe('deterministic weights', () => {
  // from the definition's own test vectors (numpy)
  test.each<[string, number[], number[]]>([
    ['encoder.conv_in.weight', [4, 3, 3, 3], [3197132194, 3167019680, 1033153459, 1049303062, 1050511009, 3180433219]],
    ['encoder.conv_in.bias', [4], [3143542554, 3180058500, 1023885352, 3174209106]],
    ['encoder.norm_out.weight', [4], [1064521228, 1064155451, 1065756944, 1065975009]],
    ['loss.logvar', [], [3171065000]],
    ['loss.perceptual_loss.net.slice1.0.weight', [2, 3, 3, 3], [3186981099, 3174362367, 3196807504, 3197228362]],
    ['loss.discriminator.main.3.running_var', [3], [1066205741, 1059406324, 1067207192]],
  ])('%s', async (name, shape, bits) => {
    using t = op('detweights', [name, shape, 7, 'float32', 'cpu']);
    const data = (await t.data()) as Float32Array;
    expect([...new Uint32Array(data.buffer, data.byteOffset, bits.length)]).toEqual(bits);
  });
  test('what is left alone', () => {
    const kept = ['betas', 'a.num_batches_tracked', 'loss.perceptual_loss.lin0.model.1.weight', 'model_ema.decay'];
    expect(kept.filter(skipped)).toEqual(kept);
    expect(['encoder.conv_in.weight', 'x.betas', 'alphas'].filter(skipped)).toEqual([]);
  });
});

describe('cases', () => {
  const folder = useTempFolder();
  const CASE = path.join(__dirname, 'cases/lr_schedulers');

  /** A copy of a case whose golden tensors are changed by `edit`. */
  async function copy(edit: (tensors: Map<string, Tensor>) => void): Promise<string> {
    const dir = path.join(folder(), 'lr_schedulers');
    fs.cpSync(CASE, dir, { recursive: true });
    using golden = await readCheckpoint(path.join(CASE, 'golden.safetensors'));
    const tensors = new Map(golden.stateDict);
    edit(tensors);
    await writeSafetensors(path.join(dir, 'golden.safetensors'), tensors);
    return dir;
  }

  test('outputs that were taken out are computed and written under their names', async () => {
    const names: string[] = [];
    const dir = await copy((tensors) => {
      for (const name of [...tensors.keys()])
        if (/^(out|allow)\./.test(name)) {
          if (name.startsWith('out.')) names.push(name);
          tensors.delete(name);
        }
      tensors.set('in.unused', Tensor.zeros([1]));
    });
    const result = await runCase(dir, { out: folder() });
    expect(result).toMatchObject({ ok: true, computedOnly: true });
    using actual = await readCheckpoint(path.join(folder(), 'lr_schedulers/actual.safetensors'));
    using golden = await readCheckpoint(path.join(CASE, 'golden.safetensors'));
    expect([...actual.tensors.keys()].sort()).toEqual(names.sort());
    for (const name of names) {
      const difference = actual.stateDict.get(name)!.sub(golden.stateDict.get(name)!).abs();
      expect(await difference.max().item()).toBeLessThan(1e-9);
    }
  });
  test('a wrong value fails', async () => {
    const dir = await copy((tensors) => {
      const [name] = [...tensors.keys()].filter((key) => key.startsWith('out.'));
      tensors.set(name, tensors.get(name)!.mul(1.01));
    });
    const result = await runCase(dir);
    expect(result.ok).toBe(false);
    expect(result.verdicts.filter((v) => !v.ok)).toHaveLength(1);
  });
  test('an output that nobody reports fails', async () => {
    const dir = await copy((tensors) => void tensors.set('out.more', Tensor.zeros([1])));
    const result = await runCase(dir);
    expect(result.verdicts.filter((v) => !v.ok).map((v) => v.detail)).toEqual(['was not reported']);
  });
  test('an unknown kind and a missing folder fail with a reason', async () => {
    const dir = await copy(() => {});
    fs.writeFileSync(path.join(dir, 'meta.json'), JSON.stringify({ kind: 'nonsense' }));
    expect((await runCase(dir)).error).toMatch(/the kind 'nonsense' is not known/);
    expect((await runCase(path.join(folder(), 'none'))).error).toMatch(/ERR_FILE/);
  });
});

describe('command line', () => {
  const golden = (...args: string[]) =>
    runNode(['--import', 'tsx', path.join(ROOT, 'test/golden/runner/run.ts'), ...args]);
  const CASES = path.join(__dirname, 'cases');

  test('prints errors beside what is allowed, ends with the count', async () => {
    const { code, stdout } = await golden(path.join(CASES, 'lr_schedulers'), path.join(CASES, 'dist_gaussian'));
    expect(stdout).toMatch(/ok {3}churches_linear\s+error \S+, allowed \S+/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('2 passed, 0 failed');
    expect(code).toBe(0);
  });
  test('exits with 1 when a case cannot be run and with 2 without cases', async () => {
    const { code, stdout } = await golden(path.join(CASES, 'lr_schedulers'), '/nonexistent');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 1 failed');
    expect(code).toBe(1);
    expect((await golden()).code).toBe(2);
  });
});
