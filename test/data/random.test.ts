import { DataRandom } from '../../lib/data/random';

describe('DataRandom', () => {
  it('depends on every part of its key, also above 2^32', () => {
    const first = (...key: number[]) => new DataRandom(...key).uint32();
    const values = [first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4), first(1 + 2 ** 32, 2, 3)];
    expect(new Set(values).size).toBe(values.length);
    expect(first(1, 2, 3)).toBe(values[0]);
  });

  it('is uniform: mean, variance and correlation of neighbours', () => {
    const random = new DataRandom(7);
    const n = 20000;
    const x = Array.from({ length: n }, () => random.uniform());
    const mean = x.reduce((a, b) => a + b) / n;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    const covariance = x.slice(1).reduce((a, b, i) => a + (b - mean) * (x[i] - mean), 0) / n;
    expect(mean).toBeCloseTo(0.5, 1.9);
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(Math.abs(covariance / variance)).toBeLessThan(0.03);
  });

  it('is uniform over neighbouring keys: first numbers of successive samples', () => {
    const n = 20000;
    const mean = Array.from({ length: n }, (_, i) => new DataRandom(1, 0, i).uniform()).reduce((a, b) => a + b) / n;
    expect(mean).toBeCloseTo(0.5, 1.9);
  });

  it('permutes: every number once, and each order of three about as often', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = new DataRandom(seed).permutation(3).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['0,1,2', '0,2,1', '1,0,2', '1,2,0', '2,0,1', '2,1,0']);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
