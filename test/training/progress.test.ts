import { remainingSeconds, Throughput } from '../../lib/training/progress';

describe('Throughput', () => {
  it('follows the last seconds', () => {
    const t = new Throughput();
    expect(t.rate).toBe(0);
    for (let i = 0; i <= 20; i++) t.add(4, i);
    expect(t.rate).toBeCloseTo(4, 5);
    for (let i = 1; i <= 40; i++) t.add(4, 20 + i / 2);
    expect(t.rate).toBeCloseTo(8, 5);
  });
});

describe('remainingSeconds', () => {
  it('is the nearer of the limits', () => {
    const done = { steps: 10, seconds: 5 };
    expect(remainingSeconds(done, { steps: 30, seconds: null })).toBe(10);
    expect(remainingSeconds(done, { steps: 30, seconds: 8 })).toBe(3);
    expect(remainingSeconds(done, { steps: null, seconds: null })).toBeNull();
    expect(remainingSeconds({ steps: 0, seconds: 0 }, { steps: 30, seconds: 9 })).toBe(9);
  });
});
