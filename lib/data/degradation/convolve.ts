/** Convolution as scipy.ndimage.convolve(image, kernel, mode="mirror") does it: beyond a border the image goes on mirrored. */
import type { BlurKernel, SeparableKernel } from './blur-kernels';
import type { FloatImage } from './float-image';

const CHANNELS = 3;
/** Weights below this part of the largest do not change a float. */
const NEGLIGIBLE = 1e-12;

/** Blurs an RGB image. The sums are of doubles. */
export function convolve(image: FloatImage, kernel: BlurKernel | SeparableKernel): FloatImage {
  return 'line' in kernel ? convolveSeparable(image, kernel) : convolveSquare(image, kernel);
}

function convolveSquare({ data, width, height }: FloatImage, kernel: BlurKernel): FloatImage {
  const { size } = kernel;
  const padded = pad(data, width, height, size);
  const stride = (width + size - 1) * CHANNELS;
  const { weights, from, to } = turned(kernel);
  const result = new Float32Array(data.length);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let r = 0;
      let g = 0;
      let b = 0;
      for (let row = 0; row < size; row++) {
        const end = row * size + to[row];
        let p = (y + row) * stride + (x + from[row]) * CHANNELS;
        for (let k = row * size + from[row]; k < end; k++, p += CHANNELS) {
          const w = weights[k];
          r += w * padded[p];
          g += w * padded[p + 1];
          b += w * padded[p + 2];
        }
      }
      result[at] = r;
      result[at + 1] = g;
      result[at + 2] = b;
      at += CHANNELS;
    }
  }
  return { data: result, width, height };
}

function convolveSeparable({ data, width, height }: FloatImage, { size, line }: SeparableKernel): FloatImage {
  const padded = pad(data, width, height, size);
  const stride = width * CHANNELS;
  const rows = new Float64Array((height + size - 1) * stride);
  const reversed = line.slice().reverse();
  for (let y = 0, at = 0; y < height + size - 1; y++) {
    const begin = y * (width + size - 1) * CHANNELS;
    for (let x = 0; x < stride; x++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += reversed[k] * padded[begin + x + k * CHANNELS];
      rows[at++] = sum;
    }
  }
  const result = new Float32Array(data.length);
  for (let at = 0; at < result.length; at++) {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += reversed[k] * rows[at + k * stride];
    result[at] = sum;
  }
  return { data: result, width, height };
}

/** The kernel turned by half a turn, and the part from[row] to to[row] of each row whose weights count. */
function turned({ size, weights }: BlurKernel): { weights: Float64Array; from: Int32Array; to: Int32Array } {
  const least = NEGLIGIBLE * weights.reduce((a, b) => Math.max(a, b));
  const reversed = weights.slice().reverse();
  const from = new Int32Array(size);
  const to = new Int32Array(size).fill(size);
  for (let row = 0; row < size; row++) {
    while (from[row] < size && reversed[row * size + from[row]] < least) from[row]++;
    while (to[row] > from[row] && reversed[row * size + to[row] - 1] < least) to[row]--;
  }
  return { weights: reversed, from, to };
}

/** The image with size - 1 more rows and columns around it; an even kernel's middle is the pixel after its centre. */
function pad(data: Float32Array, width: number, height: number, size: number): Float64Array {
  const before = size - 1 - Math.floor(size / 2);
  const columns = Int32Array.from({ length: width + size - 1 }, (_, i) => mirrored(i - before, width) * CHANNELS);
  const padded = new Float64Array((width + size - 1) * (height + size - 1) * CHANNELS);
  let at = 0;
  for (let y = 0; y < height + size - 1; y++) {
    const row = mirrored(y - before, height) * width * CHANNELS;
    for (const column of columns) {
      for (let c = 0; c < CHANNELS; c++) padded[at++] = data[row + column + c];
    }
  }
  return padded;
}

/** Mirrored at the border's pixel, which is not repeated. */
function mirrored(position: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const p = ((position % period) + period) % period;
  return p < length ? p : period - p;
}
