/** Resizing in two passes, along x and then along y, by tables of weights. */

/** Pixels of an image row by row, the channels of a pixel beside each other. */
export interface PixelImage<Data extends Uint8Array | Float32Array> {
  /** height x width x channels. */
  data: Data;
  width: number;
  height: number;
}

/** How the positions of one side come about: position i is the sum over the taps first[i] to first[i + 1]. */
export interface Taps {
  readonly length: number;
  first: Int32Array;
  /** Source position of each tap. */
  source: Int32Array;
  weight: Float32Array;
}

/** Weights and sums: of floats, or in fixed point. */
type Sums = Float32Array | Int32Array;

/** Row by row along x: out[row][i] is the weighted sum of the row's pixels. */
export function along(image: PixelImage<Uint8Array | Float32Array>, x: Taps, weight: Sums, out: Sums): void {
  const { data, width, height } = image;
  const channels = channelsOf(image);
  let at = 0;
  for (let row = 0; row < height; row++) {
    const begin = row * width * channels;
    for (let i = 0; i < x.length; i++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = x.first[i]; k < x.first[i + 1]; k++) sum += weight[k] * data[begin + x.source[k] * channels + c];
        out[at++] = sum;
      }
    }
  }
}

/** Sums of rows; `finish` takes each one over. */
export function across(
  rows: Sums,
  stride: number,
  y: Taps,
  weight: Sums,
  finish: (sums: Float64Array, at: number) => void,
) {
  const sums = new Float64Array(stride);
  for (let i = 0; i < y.length; i++) {
    sums.fill(0);
    for (let k = y.first[i]; k < y.first[i + 1]; k++) {
      const [w, begin] = [weight[k], y.source[k] * stride];
      for (let j = 0; j < stride; j++) sums[j] += w * rows[begin + j];
    }
    finish(sums, i * stride);
  }
}

/** Both passes for an image of floats. */
export function resampleFloats(image: PixelImage<Float32Array>, x: Taps, y: Taps): Float32Array {
  const stride = x.length * channelsOf(image);
  const rows = new Float32Array(image.height * stride);
  along(image, x, x.weight, rows);
  const result = new Float32Array(y.length * stride);
  across(rows, stride, y, y.weight, (sums, at) => result.set(sums, at));
  return result;
}

export function channelsOf(image: PixelImage<Uint8Array | Float32Array>): number {
  return image.data.length / (image.width * image.height);
}
