/**
 * Bicubic resizing as MATLAB's imresize does it, with smoothing when an image becomes smaller (reference: imresize_np of
 * ldm/modules/image_degradation/utils_image.py). Agrees with it to rounding.
 */
import { type PixelImage, resampleFloats, type Taps } from './separable';

/** Width of the cubic kernel in pixels. */
const SUPPORT = 4;

/**
 * Resizes by a factor; sides are rounded up.
 * @param scale such as 0.5 for half the size
 */
export function imresize(image: PixelImage<Float32Array>, scale: number): PixelImage<Float32Array> {
  const width = Math.ceil(image.width * scale);
  const height = Math.ceil(image.height * scale);
  const data = resampleFloats(image, tapsOf(image.width, width, scale), tapsOf(image.height, height, scale));
  return { data, width, height };
}

function tapsOf(from: number, to: number, scale: number): Taps {
  // The kernel grows with the pixels of a smaller image: that is the smoothing.
  const stretch = Math.min(scale, 1);
  const support = SUPPORT / stretch;
  const count = Math.ceil(support) + 2;
  const first = Int32Array.from({ length: to + 1 }, (_, i) => i * count);
  const source = new Int32Array(to * count);
  const weight = new Float32Array(to * count);
  for (let i = 0; i < to; i++) {
    // Positions are those of pixel centres, counted from 0.
    const centre = (i + 0.5) / scale - 0.5;
    const left = Math.floor(centre + 1 - support / 2) - 1;
    const weights = Array.from({ length: count }, (_, k) => cubic((centre - left - k) * stretch));
    const sum = weights.reduce((a, b) => a + b);
    for (let k = 0; k < count; k++) {
      source[first[i] + k] = mirrored(left + k, from);
      weight[first[i] + k] = weights[k] / sum;
    }
  }
  return { length: to, first, source, weight };
}

/** Keys' cubic convolution with a = -1/2. */
function cubic(x: number): number {
  const t = Math.abs(x);
  if (t <= 1) return (1.5 * t - 2.5) * t * t + 1;
  return t <= 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/** Beyond a border the image goes on mirrored, the border's pixel included. */
function mirrored(position: number, length: number): number {
  const period = 2 * length;
  const p = ((position % period) + period) % period;
  return p < length ? p : period - 1 - p;
}
