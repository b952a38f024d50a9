/**
 * Resizing of 8-bit tensors as torchvision does it (transforms.Resize of a tensor; reference: taming/data/annotated_objects_dataset.py):
 * bilinear, antialiased, rounded once. Everything is in single precision, and sums are in torch's order, because a value
 * midway between two levels is frequent. torchvision before 0.17 did not antialias tensors.
 */
import type { Pixels } from '../pixels';

const { fround } = Math;

/** Position i is the sum of `weights[i * size + k] * source[start[i] + k]` over k below count[i]. */
interface Taps {
  start: Int32Array;
  count: Int32Array;
  size: number;
  weights: Float32Array;
}

/** The taps of a triangle that widens with the reduction. */
function tapsOf(from: number, to: number): Taps {
  const scale = fround(from / to);
  const support = Math.max(scale, 1);
  const size = Math.ceil(support) * 2 + 1;
  const taps = { start: new Int32Array(to), count: new Int32Array(to), size, weights: new Float32Array(to * size) };
  const inverse = fround(1 / support);
  for (let i = 0; i < to; i++) {
    const centre = fround(scale * (i + 0.5));
    const start = Math.max(Math.trunc(fround(fround(centre - support) + 0.5)), 0);
    const count = Math.min(Math.trunc(fround(fround(centre + support) + 0.5)), from) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const distance = fround(fround(fround(k + start - centre) + 0.5) * inverse);
      const weight = Math.max(fround(1 - Math.abs(distance)), 0);
      taps.weights[i * size + k] = weight;
      sum = fround(sum + weight);
    }
    for (let k = 0; k < count; k++) taps.weights[i * size + k] /= sum;
    taps.start[i] = start;
    taps.count[i] = count;
  }
  return taps;
}

/** Resizes to exactly `width` x `height`. */
export function resizeTorch(image: Pixels, width: number, height: number): Pixels {
  if (image.width === width && image.height === height) return image;
  const channels = image.data.length / (image.width * image.height);
  const rows = alongRows(image, tapsOf(image.width, width), channels);
  const y = tapsOf(image.height, height);
  const stride = width * channels;
  const out = new Uint8ClampedArray(height * stride);
  const sums = new Float32Array(stride);
  for (let i = 0; i < height; i++) {
    sums.fill(0);
    for (let k = 0; k < y.count[i]; k++) {
      const [weight, from] = [y.weights[i * y.size + k], (y.start[i] + k) * stride];
      for (let j = 0; j < stride; j++) sums[j] += weight * rows[from + j];
    }
    // A clamped array makes halves even, as torch.round does.
    out.set(sums, i * stride);
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

function alongRows(image: Pixels, x: Taps, channels: number): Float32Array {
  const width = x.start.length;
  const rows = new Float32Array(image.height * width * channels);
  for (let row = 0, at = 0; row < image.height; row++)
    for (let i = 0; i < width; i++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0, from = (row * image.width + x.start[i]) * channels + c; k < x.count[i]; k++, from += channels)
          sum = fround(sum + x.weights[i * x.size + k] * image.data[from]);
        rows[at++] = sum;
      }
  return rows;
}

/** The shorter side becomes `size`. */
export function resizeTorchShorter(image: Pixels, size: number): Pixels {
  const { width, height } = image;
  const long = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? resizeTorch(image, size, long) : resizeTorch(image, long, size);
}
