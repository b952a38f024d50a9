/** What OpenCV, scipy and the reference give for the test's picture; see make-expected.py. */
import fs from 'node:fs';
import path from 'node:path';
import type { Pixels } from '../../../lib/data/pixels';

interface Packed {
  shape: number[];
  dtype: 'uint8' | 'float32';
  data: string;
}
type Resized = { size: [number, number]; image: Packed };
type Kernel = { kind: 'anisotropic' | 'gaussian' | 'shifted'; args: number[] };

export const expected = JSON.parse(fs.readFileSync(path.join(__dirname, 'expected.json'), 'utf8')) as {
  degradations: {
    name: 'bsrgan' | 'bsrgan_light' | 'bsrgan_plus';
    seed: number;
    scale: number;
    side: number;
    image: Packed;
    last?: number;
    next: number;
  }[];
  kernels: (Kernel & { weights: Packed })[];
  convolved: (Kernel & Resized)[];
  imresize: (Resized & { scale: number })[];
  resized: (Resized & {
    to: [number, number];
    interpolation: 'nearest' | 'linear' | 'cubic' | 'area' | 'lanczos4';
  })[];
};

/** The numbers of an array. */
export function unpacked({ dtype, data }: Packed): Uint8Array | Float32Array {
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  return dtype === 'uint8' ? bytes : new Float32Array(bytes.buffer);
}

/** Waves and stripes: as picture() of make-expected.py. */
export function picture(width: number, height: number): Pixels {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const waves = Math.floor((x * x + 2 * y * y + (c + 1) * x * y) / 24);
    return waves * 5 + c * 40 + 60 * (Math.floor(x / 8) % 2);
  });
  return { data, width, height };
}

/** The largest difference; arrays of different lengths are infinitely far apart. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}
