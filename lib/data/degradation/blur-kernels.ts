/**
 * Blur kernels (reference: anisotropic_Gaussian, fspecial and shift_pixel of ldm/modules/image_degradation/bsrgan.py).
 *
 * Departure: the reference divides by a sum that is zero when a kernel of an even size is so narrow that it vanishes between
 * the pixels, which leaves a black or undefined image. Here the nearest pixels share the weight.
 */

/** A square kernel of sum 1, row by row. */
export interface BlurKernel {
  size: number;
  weights: Float64Array;
}

/** A kernel whose weights are line[y] * line[x]; the line's sum is 1. */
export interface SeparableKernel {
  size: number;
  line: Float64Array;
}

/**
 * A Gaussian that is stretched in one direction.
 * @param theta angle of the first axis, radians
 * @param variance1 variance along the first axis, square pixels
 * @param variance2 variance across it
 */
export function anisotropicGaussian(size: number, theta: number, variance1: number, variance2: number): BlurKernel {
  const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
  const middle = (size - 1) / 2;
  const exponents = new Float64Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const along = (x - middle) * cos + (y - middle) * sin;
      const across = (x - middle) * sin - (y - middle) * cos;
      exponents[y * size + x] = -(along ** 2 / variance1 + across ** 2 / variance2) / 2;
    }
  }
  return { size, weights: normalizedExponentials(exponents) };
}

/** A round Gaussian (MATLAB's fspecial). @param deviation standard deviation in pixels */
export function gaussian(size: number, deviation: number): SeparableKernel {
  const middle = (size - 1) / 2;
  const exponents = Float64Array.from({ length: size }, (_, i) => -(((i - middle) / deviation) ** 2) / 2);
  return { size, line: normalizedExponentials(exponents) };
}

/**
 * Moves a kernel's weights by (scale - 1) / 2 pixels to the upper left, so that every scale-th pixel, from the first one on,
 * stands for the middle of its block. Between pixels it interpolates; the border's weights repeat.
 */
export function shiftToUpperLeft({ size, line }: SeparableKernel, scale: number): SeparableKernel {
  const moved = Float64Array.from(line, (_, i) => {
    const position = Math.min(i + (scale - 1) / 2, size - 1);
    const left = Math.floor(position);
    const t = position - left;
    return t === 0 ? line[left] : (1 - t) * line[left] + t * line[left + 1];
  });
  const sum = moved.reduce((a, b) => a + b);
  return { size, line: moved.map((w) => w / sum) };
}

/** exp, scaled to the sum 1. Counted from the largest, so that the sum is never zero. */
function normalizedExponentials(exponents: Float64Array): Float64Array {
  const largest = exponents.reduce((a, b) => Math.max(a, b));
  const weights = exponents.map((e) => Math.exp(e - largest));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}
