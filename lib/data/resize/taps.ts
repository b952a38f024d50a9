/** Which positions of a side make up each position of a smaller or larger one: Pillow's rule, which torch's antialiasing follows. */

/** A filter around 0, in units of source positions (of result positions where an image is reduced). */
export interface Filter {
  /** The filter is 0 at this distance from its centre. */
  support: number;
  at(distance: number): number;
}

/** Position i is the sum of `weights[i * size + k] * source[start[i] + k]` over k below count[i]. */
export interface Taps {
  start: Int32Array;
  count: Int32Array;
  /** Places for weights of each position. */
  size: number;
  /** Sum 1 for each position. */
  weights: Float64Array;
}

/** Taps for resizing a side from `from` to `to` positions. */
export function tapsOf(from: number, to: number, filter: Filter): Taps {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  const size = Math.ceil(support) * 2 + 1;
  const taps = {
    start: new Int32Array(to),
    count: new Int32Array(to),
    size,
    weights: new Float64Array(to * size),
  };
  const inverse = 1 / stretch;
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const count = Math.min(Math.trunc(centre + support + 0.5), from) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const weight = filter.at((k + start - centre + 0.5) * inverse);
      taps.weights[i * size + k] = weight;
      sum += weight;
    }
    if (sum !== 0) for (let k = 0; k < count; k++) taps.weights[i * size + k] /= sum;
    taps.start[i] = start;
    taps.count[i] = count;
  }
  return taps;
}
