import { normals, poisson } from '../../../lib/data/degradation/draws';
import type { FloatImage } from '../../../lib/data/degradation/float-image';
import { addGaussianNoise, addPoissonNoise, addSpeckleNoise } from '../../../lib/data/degradation/noise';
import { eigen, matrix3, product, squareRootOfMagnitude } from '../../../lib/data/degradation/symmetric';
import { DataRandom } from '../../../lib/data/random';

/** Mean, variance, skewness and excess kurtosis. */
function moments(values: ArrayLike<number>): [number, number, number, number] {
  const x = Array.from(values);
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const central = (k: number) => x.reduce((a, b) => a + (b - mean) ** k, 0) / x.length;
  const variance = central(2);
  return [mean, variance, central(3) / variance ** 1.5, central(4) / variance ** 2 - 3];
}

/** A stream whose first numbers are given. */
class Steered extends DataRandom {
  readonly #first: number[];
  constructor(first: readonly number[], seed: number) {
    super(seed);
    this.#first = [...first];
  }
  override uniform(): number {
    return this.#first?.shift() ?? super.uniform();
  }
}

const SIDE = 100;
const even = (level: number): FloatImage => ({
  data: new Float32Array(SIDE * SIDE * 3).fill(level),
  width: SIDE,
  height: SIDE,
});
const channel = ({ data }: FloatImage, c: number) => data.filter((_, i) => i % 3 === c);
function correlation(image: FloatImage, a: number, b: number): number {
  const [x, y] = [channel(image, a), channel(image, b)];
  const [[mx, vx], [my, vy]] = [moments(x), moments(y)];
  return x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0) / x.length / Math.sqrt(vx * vy);
}

describe('draws', () => {
  it('normals have the moments of the standard normal distribution', () => {
    const [mean, variance, skewness, kurtosis] = moments(normals(new DataRandom(1), 100_001));
    for (const value of [mean, variance - 1, skewness, kurtosis]) expect(Math.abs(value)).toBeLessThan(0.04);
  });

  it.each([0.3, 4, 12, 60, 2500])('poisson(%d) has its moments', (mean) => {
    const random = new DataRandom(2, mean * 10);
    const [m, variance, skewness] = moments(Array.from({ length: 40_000 }, () => poisson(random, mean)));
    expect(Math.abs(m / mean - 1)).toBeLessThan(0.04 / Math.sqrt(mean));
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.05);
    expect(skewness).toBeCloseTo(1 / Math.sqrt(mean), 0.7);
  });
});

describe('symmetric matrices', () => {
  const a = matrix3((i, j) => [5, 1, -2, 1, 3, 0.5, -2, 0.5, -4][i * 3 + j]);

  it('have the eigenvalues and eigenvectors that numpy finds', () => {
    const { values, vectors } = eigen(a);
    [5.71148783, 2.77842115, -4.48990898].forEach((v, i) => {
      expect(values[i]).toBeCloseTo(v, 6);
    });
    const av = product(a, vectors);
    for (const i of [0, 1, 2]) for (const k of [0, 1, 2]) expect(av[i][k]).toBeCloseTo(values[k] * vectors[i][k], 12);
  });

  it('squareRootOfMagnitude squares to the magnitude', () => {
    const root = squareRootOfMagnitude(a);
    const fourth = product(product(root, root), product(root, root));
    const square = product(a, a);
    for (const i of [0, 1, 2]) for (const j of [0, 1, 2]) expect(fourth[i][j]).toBeCloseTo(square[i][j], 10);
  });
});

describe('noise', () => {
  const LEVELS = [10, 10] as const;
  // First the level is drawn, then the kind.
  const colour = [0, 0.7];
  const grey = [0, 0.1];
  const correlated = [0, 0.5];

  it('of each colour for itself: deviation of the level, no correlation', () => {
    const noisy = addGaussianNoise(even(0.5), LEVELS, new Steered(colour, 1));
    for (const c of [0, 1, 2]) {
      const [mean, variance] = moments(channel(noisy, c));
      expect(mean).toBeCloseTo(0.5, 2.5);
      expect(Math.sqrt(variance) * 255).toBeCloseTo(10, 0.3);
    }
    expect(Math.abs(correlation(noisy, 0, 1))).toBeLessThan(0.05);
  });

  it('of all colours alike', () => {
    const noisy = addGaussianNoise(even(0.5), LEVELS, new Steered(grey, 2));
    expect(Math.sqrt(moments(channel(noisy, 1))[1]) * 255).toBeCloseTo(10, 0.3);
    expect(correlation(noisy, 0, 2)).toBeCloseTo(1, 5);
  });

  it('correlated: the covariance that was drawn', () => {
    // Variances 1, 0, 0 and a diagonal basis: only the first colour has noise.
    const basis = [3, 0, 0, 0, 2, 0, 0, 0, 1];
    const one = addGaussianNoise(even(0.5), LEVELS, new Steered([...correlated, 1, 0, 0, ...basis], 3));
    expect(Math.sqrt(moments(channel(one, 0))[1]) * 255).toBeCloseTo(10, 0.3);
    expect(moments(channel(one, 1))[1]).toBeLessThan(1e-12);
    // In general the colours are correlated, positively: the covariance's magnitudes are taken.
    const all = addGaussianNoise(even(0.5), LEVELS, new Steered(correlated, 4));
    const pairs = [correlation(all, 0, 1), correlation(all, 0, 2), correlation(all, 1, 2)];
    expect(Math.max(...pairs)).toBeGreaterThan(0.1);
    expect(Math.min(...pairs)).toBeGreaterThan(-0.05);
  });

  it('stays within 0 and 1', () => {
    const { data } = addGaussianNoise(even(1), LEVELS, new Steered(colour, 5));
    expect([Math.max(...data), data.some((v) => v < 1)]).toEqual([1, true]);
  });

  it('speckles grow with the brightness', () => {
    const deviation = (level: number) =>
      Math.sqrt(moments(channel(addSpeckleNoise(even(level), LEVELS, new Steered(colour, 6)), 0))[1]) * 255;
    expect(deviation(0.8)).toBeCloseTo(8, 0.3);
    expect(deviation(0.2)).toBeCloseTo(2, 0.3);
    expect(deviation(0)).toBe(0);
  });

  it('quanta of light: the variance is the brightness over their number', () => {
    // 10 ** (2 * 0.25 + 2) quanta for white; then colours for themselves, or all alike.
    const quanta = 10 ** 2.5;
    const colours = addPoissonNoise(even(0.6), new Steered([0.25, 0.1], 7));
    expect((moments(channel(colours, 0))[1] * quanta) / 0.6).toBeCloseTo(1, 1);
    expect(Math.abs(correlation(colours, 0, 1))).toBeLessThan(0.05);
    const alike = addPoissonNoise(even(0.6), new Steered([0.25, 0.9], 8));
    expect((moments(channel(alike, 0))[1] * quanta) / 0.6).toBeCloseTo(1, 1);
    expect(correlation(alike, 0, 1)).toBeCloseTo(1, 5);
  });
});
