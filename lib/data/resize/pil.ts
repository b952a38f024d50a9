/**
 * Resizing as Pillow does it (PIL.Image.resize; reference: ldm/data/lsun.py, ldm/data/imagenet.py), to the grey level.
 * Filters widen with the reduction, so that small images are free of aliasing. Sums are integers with 22 fractional bits,
 * rounded to 8 bits after each of the two passes.
 */
import { LdmError } from '../../errors';
import type { Pixels } from '../pixels';
import { type Filter, type Taps, tapsOf } from './taps';

/** PIL.Image.Resampling. */
export type PilInterpolation = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const FILTERS: Record<Exclude<PilInterpolation, 'nearest'>, Filter> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    at(x) {
      const t = Math.abs(x) * Math.PI;
      if (t === 0) return 1;
      return t >= Math.PI ? 0 : (Math.sin(t) / t) * (0.54 + 0.46 * Math.cos(t));
    },
  },
  bicubic: { support: 2, at: cubic },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic convolution with a = -1/2. */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

/** Bits behind the point of the weights: 8 for the value and 2 for overshoot leave 22 of 32. */
const WEIGHT_BITS = 22;

/**
 * Resizes to exactly `width` x `height`.
 * @param image any number of channels beside each other
 * @throws LdmError ERR_INVALID_ARGUMENT for a size below 1
 */
export function resizePil(image: Pixels, width: number, height: number, filter: PilInterpolation): Pixels {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a size of at least 1 x 1 pixels but received ${width} x ${height}`,
    );
  if (image.width === width && image.height === height) return image;
  if (filter === 'nearest') return nearest(image, width, height);
  const kernel = FILTERS[filter];
  const channels = image.data.length / (image.width * image.height);
  const rows = height === image.height ? undefined : tapsOf(image.height, height, kernel);
  let result = image;
  if (width !== image.width) {
    // Only the rows that the second pass reads.
    const first = rows ? rows.start[0] : 0;
    const last = rows ? rows.start[height - 1] + rows.count[height - 1] : image.height;
    result = alongRows(image, tapsOf(image.width, width, kernel), channels, first, last);
    if (rows) for (let y = 0; y < height; y++) rows.start[y] -= first;
  }
  return rows ? downColumns(result, rows, channels) : result;
}

/** The weights as Pillow's integers: halves are rounded away from zero. */
function fixed(weights: Float64Array): Int32Array {
  return Int32Array.from(weights, (w) => Math.trunc(w * 2 ** WEIGHT_BITS + (w < 0 ? -0.5 : 0.5)));
}

const HALF = 1 << (WEIGHT_BITS - 1);

function alongRows(image: Pixels, taps: Taps, channels: number, first: number, last: number): Pixels {
  const { start, count, size } = taps;
  const weights = fixed(taps.weights);
  const width = start.length;
  // A clamped array cuts what a filter overshoots.
  const out = new Uint8ClampedArray((last - first) * width * channels);
  const source = image.data;
  let at = 0;
  for (let y = first; y < last; y++) {
    const row = y * image.width * channels;
    for (let x = 0; x < width; x++) {
      const begin = row + start[x] * channels;
      const w = x * size;
      const end = w + count[x];
      if (channels === 3) {
        let a = HALF;
        let b = HALF;
        let c = HALF;
        for (let k = w, p = begin; k < end; k++, p += 3) {
          const weight = weights[k];
          a = (a + Math.imul(source[p], weight)) | 0;
          b = (b + Math.imul(source[p + 1], weight)) | 0;
          c = (c + Math.imul(source[p + 2], weight)) | 0;
        }
        out[at] = a >> WEIGHT_BITS;
        out[at + 1] = b >> WEIGHT_BITS;
        out[at + 2] = c >> WEIGHT_BITS;
        at += 3;
      } else
        for (let channel = 0; channel < channels; channel++) {
          let sum = HALF;
          for (let k = w, p = begin + channel; k < end; k++, p += channels)
            sum = (sum + Math.imul(source[p], weights[k])) | 0;
          out[at++] = sum >> WEIGHT_BITS;
        }
    }
  }
  return { data: new Uint8Array(out.buffer), width, height: last - first };
}

function downColumns(image: Pixels, taps: Taps, channels: number): Pixels {
  const { start, count, size } = taps;
  const weights = fixed(taps.weights);
  const height = start.length;
  const stride = image.width * channels;
  const out = new Uint8ClampedArray(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    // Row by row: memory is read in order, and the sums stay in the cache.
    sums.fill(HALF);
    for (let k = 0; k < count[y]; k++) {
      const weight = weights[y * size + k];
      const from = (start[y] + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] += Math.imul(image.data[from + i], weight);
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = sums[i] >> WEIGHT_BITS;
  }
  return { data: new Uint8Array(out.buffer), width: image.width, height };
}

function nearest(image: Pixels, width: number, height: number): Pixels {
  const channels = image.data.length / (image.width * image.height);
  const columns = positions(image.width, width);
  const rows = positions(image.height, height);
  const out = new Uint8Array(width * height * channels);
  let at = 0;
  for (const y of rows)
    for (const x of columns) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[at++] = image.data[from + c];
    }
  return { data: out, width, height };
}

/** Pillow adds up the step instead of multiplying it, which decides where a centre falls on a border. */
function positions(from: number, to: number): Int32Array {
  const step = from / to;
  let at = step * 0.5;
  return Int32Array.from({ length: to }, () => {
    const position = Math.min(Math.trunc(at), from - 1);
    at += step;
    return position;
  });
}
