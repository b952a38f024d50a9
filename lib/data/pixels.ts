/** Images of 8-bit levels in memory, and the cuts that the reference's data sets make. */

/** An image of bytes row by row, the channels of a pixel beside each other. */
export interface Pixels {
  /** height x width x channels. */
  data: Uint8Array;
  width: number;
  height: number;
}

export function channelsOf(image: Pixels): number {
  return image.data.length / (image.width * image.height);
}

/** The part of an image whose left upper corner is (left, top). */
export function cut(image: Pixels, left: number, top: number, width: number, height: number): Pixels {
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  const channels = channelsOf(image);
  const out = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    out.set(image.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { data: out, width, height };
}

/** Left and right exchanged. */
export function mirror(image: Pixels): Pixels {
  const channels = channelsOf(image);
  const out = new Uint8Array(image.data.length);
  let at = 0;
  for (let y = 0; y < image.height; y++)
    for (let x = image.width - 1; x >= 0; x--) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[at++] = image.data[from + c];
    }
  return { ...image, data: out };
}

/** The value of each level in [-1, 1]: numpy's `(level / 127.5 - 1).astype(float32)`. */
const CENTRED = Float32Array.from({ length: 256 }, (_, level) => level / 127.5 - 1);

/** Levels 0..255 become values in [-1, 1]. */
export function centred(levels: Uint8Array): Float32Array {
  const out = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) out[i] = CENTRED[levels[i]];
  return out;
}
