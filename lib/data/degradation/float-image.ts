/** Images of floats in [0, 1], and how levels of 8 bits become them (reference: uint2single and single2uint of utils_image.py). */
import type { Pixels } from '../pixels';
import type { PixelImage } from '../resize/separable';

/** An RGB image of floats, in [0, 1] between the steps of a degradation. */
export type FloatImage = PixelImage<Float32Array>;

const VALUES = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/** 0..255 to [0, 1]. */
export function toFloats({ data, width, height }: Pixels): FloatImage {
  const values = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) values[i] = VALUES[data[i]];
  return { data: values, width, height };
}

/** [0, 1], cut off beyond, to the nearest level of 0..255; halves become even. */
export function toLevels({ data, width, height }: FloatImage): Pixels {
  const levels = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) levels[i] = Math.fround(data[i] * 255);
  return { data: new Uint8Array(levels.buffer), width, height };
}

/** Cuts values off at 0 and 1, in place. */
export function clip(image: FloatImage): FloatImage {
  const { data } = image;
  for (let i = 0; i < data.length; i++) data[i] = Math.min(Math.max(data[i], 0), 1);
  return image;
}
