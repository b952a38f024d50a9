/** Medians and quartiles. */

/** A median with its quartiles. */
export interface Spread {
  median: number;
  q1: number;
  q3: number;
}

/** The value below which a part `q` of the values lies, linearly between two of them. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), q1: quantile(values, 0.25), q3: quantile(values, 0.75) };
}

/** Root mean square of the difference, as a part of `expected`'s. */
export function deviation(values: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (values[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
