/**
 * Resizing as OpenCV does it (cv2.resize; reference: the data sets of ldm/data and ldm/modules/image_degradation). Images of
 * floats agree with it to rounding. Sums over 8-bit images are in fixed point there, and so they are here: equal grey levels.
 */
import { LdmError } from '../../errors';
import { across, along, channelsOf, type PixelImage, resampleFloats, type Taps } from './separable';

/** cv2.INTER_NEAREST, INTER_LINEAR, INTER_CUBIC, INTER_AREA and INTER_LANCZOS4. */
export type OpenCvInterpolation = 'nearest' | 'linear' | 'cubic' | 'area' | 'lanczos4';

/**
 * Resizes to exactly `width` x `height`. Only 'area' smooths when an image becomes smaller.
 * @param image one to four channels; `data` of 8-bit levels or of floats
 * @throws LdmError ERR_INVALID_ARGUMENT for a size below 1
 */
export function resizeOpenCv<Data extends Uint8Array | Float32Array>(
  image: PixelImage<Data>,
  width: number,
  height: number,
  interpolation: OpenCvInterpolation,
): PixelImage<Data> {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a size of at least 1 x 1 pixels but received ${width} x ${height}`,
    );
  const scaleX = image.width / width;
  const scaleY = image.height / height;
  const kind = effective(interpolation, scaleX, scaleY);
  const x = tapsOf(kind, image.width, width);
  const y = tapsOf(kind, image.height, height);
  const data = isFloat(image.data)
    ? kind === 'whole area'
      ? blockMeans(image as PixelImage<Float32Array>, scaleX, scaleY)
      : resampleFloats(image as PixelImage<Float32Array>, x, y)
    : resampleBytes(image as PixelImage<Uint8Array>, x, y, kind);
  return { data: data as Data, width, height };
}

/** 'enlarging area': what INTER_AREA is where a side grows. 'whole area': blocks of whole pixels. */
type Kind = OpenCvInterpolation | 'enlarging area' | 'whole area';

function effective(interpolation: OpenCvInterpolation, scaleX: number, scaleY: number): Kind {
  const whole = Number.isInteger(scaleX) && Number.isInteger(scaleY);
  const halved = scaleX === 2 && scaleY === 2;
  if (interpolation === 'linear' && halved) return 'whole area';
  if (interpolation !== 'area') return interpolation;
  if (scaleX < 1 || scaleY < 1) return 'enlarging area';
  return whole ? 'whole area' : 'area';
}

/** Typed arrays may come from another realm, where instanceof fails. */
function isFloat(data: Uint8Array | Float32Array): data is Float32Array {
  return data.BYTES_PER_ELEMENT === 4;
}

function tapsOf(kind: Kind, from: number, to: number): Taps {
  if (kind === 'area' || kind === 'whole area') return areaTaps(from, to);
  const kernel = KERNELS[kind];
  const count = kernel.count;
  const taps = {
    length: to,
    first: new Int32Array(to + 1),
    source: new Int32Array(to * count),
    weight: new Float32Array(to * count),
  };
  for (let i = 0; i < to; i++) {
    const { base, weights } = kernel.at(i, from, to);
    for (let k = 0; k < count; k++) {
      taps.source[i * count + k] = Math.min(Math.max(base - (count > 1 ? count / 2 - 1 : 0) + k, 0), from - 1);
      taps.weight[i * count + k] = weights[k];
    }
    taps.first[i + 1] = (i + 1) * count;
  }
  return taps;
}

interface Kernel {
  count: number;
  /** The source position on the left of position i, and the weights around it. */
  at(i: number, from: number, to: number): { base: number; weights: readonly number[] };
}

/** A kernel between pixel centres. */
function centred(count: number, weightsOf: (fraction: number) => readonly number[]): Kernel {
  return {
    count,
    at(i, from, to) {
      const position = Math.fround((i + 0.5) * (from / to) - 0.5);
      const base = Math.floor(position);
      return { base, weights: weightsOf(Math.fround(position - base)) };
    },
  };
}

const KERNELS: Record<Exclude<Kind, 'area' | 'whole area'>, Kernel> = {
  nearest: { count: 1, at: (i, from, to) => ({ base: Math.floor(i * (from / to)), weights: [1] }) },
  linear: centred(2, (t) => [1 - t, t]),
  cubic: centred(4, cubicWeights),
  lanczos4: centred(8, lanczosWeights),
  'enlarging area': {
    count: 2,
    at(i, from, to) {
      const base = Math.floor(i * (from / to));
      const t = Math.fround(i + 1 - (base + 1) * (to / from));
      const fraction = t <= 0 ? 0 : t - Math.floor(t);
      return { base, weights: [1 - fraction, fraction] };
    },
  },
};

/** Keys' cubic convolution with a = -3/4. */
function cubicWeights(t: number): number[] {
  const a = -0.75;
  const outer = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const inner = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const weights = [outer(1 + t), inner(t), inner(1 - t)];
  return [...weights, 1 - weights[0] - weights[1] - weights[2]];
}

/** The Lanczos window of eight taps, scaled to the sum 1. */
function lanczosWeights(t: number): number[] {
  const sinc = (x: number) => (Math.abs(x) < 1e-6 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  const weights = Array.from({ length: 8 }, (_, k) => sinc(t + 3 - k) * sinc((t + 3 - k) / 4));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

/** Each position is the mean over its cell, whose border pixels count with the covered part. */
function areaTaps(from: number, to: number): Taps {
  const scale = from / to;
  const first = new Int32Array(to + 1);
  const source: number[] = [];
  const weight: number[] = [];
  const tap = (position: number, covered: number) => {
    source.push(position);
    weight.push(covered);
  };
  for (let i = 0; i < to; i++) {
    const begin = i * scale;
    const end = begin + scale;
    const cell = Math.min(scale, from - begin);
    const lastWhole = Math.min(Math.floor(end), from - 1);
    const firstWhole = Math.min(Math.ceil(begin), lastWhole);
    // Slivers are rounding errors.
    if (firstWhole - begin > 1e-3) tap(firstWhole - 1, (firstWhole - begin) / cell);
    for (let k = firstWhole; k < lastWhole; k++) tap(k, 1 / cell);
    if (end - lastWhole > 1e-3) tap(lastWhole, Math.min(end - lastWhole, 1, cell) / cell);
    first[i + 1] = source.length;
  }
  return { length: to, first, source: Int32Array.from(source), weight: Float32Array.from(weight) };
}

function resampleBytes(image: PixelImage<Uint8Array>, x: Taps, y: Taps, kind: Kind): Uint8Array {
  const stride = x.length * channelsOf(image);
  // Such an array makes halves even, as OpenCV's vector instructions do.
  const result = new Uint8ClampedArray(y.length * stride);
  if (kind === 'area') return meansOfCells(image, x, y);
  if (kind === 'linear' || kind === 'enlarging area') return linearBytes(image, x, y);
  if (kind === 'whole area') {
    const rows = new Float32Array(image.height * stride);
    along(image, x, x.weight, rows);
    // The mean of four pixels is rounded up at a half; else halves become even.
    const up = image.width === 2 * x.length && image.height === 2 * y.length;
    across(rows, stride, y, y.weight, (sums, at) => {
      for (let j = 0; j < stride; j++) result[at + j] = up ? Math.floor(sums[j] + 0.5) : Math.fround(sums[j]);
    });
    return new Uint8Array(result.buffer);
  }
  const rows = new Int32Array(image.height * stride);
  along(image, x, fixedPoint(x.weight), rows);
  across(rows, stride, y, fixedPoint(y.weight), (sums, at) => {
    for (let j = 0; j < stride; j++) result[at + j] = sums[j] / SQUARE;
  });
  return new Uint8Array(result.buffer);
}

/**
 * Means of cells that are no whole pixels. Sums are of single precision and in OpenCV's order: along the row, then down; the
 * last bit decides where a mean lies midway between two levels.
 */
function meansOfCells(image: PixelImage<Uint8Array>, x: Taps, y: Taps): Uint8Array {
  const { data } = image;
  const { fround } = Math;
  const channels = channelsOf(image);
  const stride = x.length * channels;
  const result = new Uint8ClampedArray(y.length * stride);
  const row = new Float32Array(stride);
  const sums = new Float32Array(stride);
  for (let i = 0; i < y.length; i++) {
    sums.fill(0);
    for (let k = y.first[i]; k < y.first[i + 1]; k++) {
      const begin = y.source[k] * image.width * channels;
      for (let cell = 0, at = 0; cell < x.length; cell++)
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let t = x.first[cell]; t < x.first[cell + 1]; t++)
            sum = fround(sum + fround(x.weight[t] * data[begin + x.source[t] * channels + c]));
          row[at++] = sum;
        }
      const w = y.weight[k];
      for (let at = 0; at < stride; at++) sums[at] += fround(w * row[at]);
    }
    for (let at = 0; at < stride; at++) result[i * stride + at] = sums[at];
  }
  return new Uint8Array(result.buffer);
}

/**
 * Means of blocks of whole pixels. The sums are of single precision and in OpenCV's order, four by four: the mean of a few
 * levels often lies midway between two levels, where the last bit decides.
 */
function blockMeans(image: PixelImage<Float32Array>, blockWidth: number, blockHeight: number): Float32Array {
  const { data } = image;
  const channels = channelsOf(image);
  const [width, height] = [image.width / blockWidth, image.height / blockHeight];
  const offsets: number[] = [];
  for (let y = 0; y < blockHeight; y++)
    for (let x = 0; x < blockWidth; x++) offsets.push((y * image.width + x) * channels);
  const fours = offsets.length - (offsets.length % 4);
  const part = Math.fround(1 / offsets.length);
  const { fround } = Math;
  const result = new Float32Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    for (let i = 0; i < width * channels; i++) {
      const begin = (y * blockHeight * image.width + Math.floor(i / channels) * blockWidth) * channels + (i % channels);
      let sum = 0;
      let k = 0;
      for (; k < fours; k += 4) {
        const two = fround(data[begin + offsets[k]] + data[begin + offsets[k + 1]]);
        sum = fround(sum + fround(fround(two + data[begin + offsets[k + 2]]) + data[begin + offsets[k + 3]]));
      }
      for (; k < offsets.length; k++) sum = fround(sum + data[begin + offsets[k]]);
      result[at++] = sum * part;
    }
  }
  return result;
}

/**
 * Linear interpolation of bytes with the bits that OpenCV drops on the way. Only the rows that are blended are computed, each
 * once: most images of a data set pass through here.
 */
function linearBytes(image: PixelImage<Uint8Array>, x: Taps, y: Taps): Uint8Array {
  const channels = channelsOf(image);
  const [wx, wy] = [fixedPoint(x.weight), fixedPoint(y.weight)];
  const stride = x.length * channels;
  const columns = x.source.map((column) => column * channels);
  const result = new Uint8ClampedArray(y.length * stride);
  const kept = [
    { row: -1, values: new Int32Array(stride) },
    { row: -1, values: new Int32Array(stride) },
  ];
  const rowAt = (row: number, other: number): Int32Array => {
    const known = kept.find((line) => line.row === row);
    if (known) return known.values;
    const line = kept[0].row === other ? kept[1] : kept[0];
    line.row = row;
    interpolateRow(image.data, row * image.width * channels, columns, wx, channels, line.values);
    return line.values;
  };
  for (let i = 0; i < y.length; i++) {
    const [first, second] = [y.source[2 * i], y.source[2 * i + 1]];
    const a = rowAt(first, second);
    const b = rowAt(second, first);
    const wa = wy[2 * i];
    const wb = wy[2 * i + 1];
    for (let j = 0, at = i * stride; j < stride; j++, at++)
      result[at] = ((Math.imul(wa, a[j] >> 4) >> 16) + (Math.imul(wb, b[j] >> 4) >> 16) + 2) >> 2;
  }
  return new Uint8Array(result.buffer);
}

/** One row of the source, interpolated along x. */
function interpolateRow(
  data: Uint8Array,
  begin: number,
  columns: Int32Array,
  weights: Int32Array,
  channels: number,
  out: Int32Array,
): void {
  for (let k = 0, at = 0; k < columns.length; k += 2) {
    const left = begin + columns[k];
    const right = begin + columns[k + 1];
    const wl = weights[k];
    const wr = weights[k + 1];
    for (let c = 0; c < channels; c++) out[at++] = (Math.imul(wl, data[left + c]) + Math.imul(wr, data[right + c])) | 0;
  }
}

/** Bits behind the point of 8-bit images' weights, and what a product of two of them is counted in. */
const WEIGHT_BITS = 11;
const SQUARE = 2 ** (2 * WEIGHT_BITS);

function fixedPoint(weights: Float32Array): Int32Array {
  return Int32Array.from(weights, (w) => roundHalfEven(w * 2 ** WEIGHT_BITS));
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down & 1) : Math.round(x);
}
