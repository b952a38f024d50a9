import { deviation, quantile, spreadOf } from '../../lib/bench/statistics';

test('quantiles lie between values', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 0], 0.25)).toBe(2.5);
  expect(quantile([7], 0.9)).toBe(7);
});

test('the median does not mind one slow round, and the quartiles tell the spread', () => {
  expect(spreadOf([1, 1.1, 0.9, 1, 50])).toEqual({ median: 1, q1: 1, q3: 1.1 });
});

test('deviation is relative to the expected values', () => {
  expect(deviation(Float32Array.of(3, 4), Float32Array.of(3, 4))).toBe(0);
  expect(deviation(Float32Array.of(0, 0), Float32Array.of(0, 0))).toBe(0);
  expect(deviation(Float32Array.of(3, 4.5), Float32Array.of(3, 4))).toBeCloseTo(0.1, 6);
  expect(deviation(Float32Array.of(Number.NaN), Float32Array.of(1))).toBeNaN();
});
