/**
 * Decoding, resizing and augmenting one image. sharp does the decoding on threads of its own. Geometry follows the
 * reference's data sets (ldm/data/lsun.py and taming/data/base.py): the shorter side is resized to `size`, a square is cut
 * out at the centre or at random, and the result may be mirrored.
 */
import sharp from 'sharp';
import { LdmError } from '../errors';
import type { DataRandom } from './random';

/** How an image becomes a square of `size` pixels. */
export interface ImageOptions {
  /** Side of the result in pixels. */
  size: number;
  /** Cut the square at random instead of at the centre (the reference's `random_crop`). */
  random_crop: boolean;
  /** Probability of mirroring left and right, 0 to 1 (the reference's `flip_p`). */
  flip_p: number;
  /** Resampling kernel. */
  interpolation: 'nearest' | 'linear' | 'cubic' | 'lanczos3';
  /** CSS colour behind transparent pixels. */
  background: string;
}

/** An 8-bit RGB image. */
export interface RgbImage {
  /** height x width x 3. */
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * Decodes and resizes so that the shorter side is `size` (null: as it is). The orientation tag of cameras is applied, transparency is laid
 * on `background`, greyscale and palettes become RGB.
 * @param input path of a file or its bytes
 * @param name what to call the image in an error
 * @throws LdmError ERR_DATA when it is no image or is damaged
 */
export async function decodeImage(
  input: string | Buffer,
  options: Pick<ImageOptions, 'interpolation' | 'background'> & { size: number | null },
  name = typeof input === 'string' ? input : 'image',
): Promise<RgbImage> {
  try {
    const { size, interpolation, background } = options;
    const upright = sharp(input, { failOn: 'truncated' }).autoOrient().flatten({ background });
    const { data, info } = await (size === null
      ? upright
      : upright.resize({ width: size, height: size, fit: 'outside', kernel: interpolation })
    )
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    throw new LdmError('ERR_DATA', `Cannot read the image ${name}: ${firstLine(error)}`, { cause: error });
  }
}

/** Cuts the square, mirrors, and maps 0..255 to [-1, 1] as the reference does (x / 127.5 - 1). */
export function cropImage(
  image: RgbImage,
  options: Pick<ImageOptions, 'size' | 'random_crop' | 'flip_p'>,
  random: DataRandom,
): Float32Array {
  const { size } = options;
  const spare = { x: image.width - size, y: image.height - size };
  // Drawn always and in this order: what is random about an image does not depend on its shape.
  const [dx, dy, flip] = [random.uniform(), random.uniform(), random.uniform() < options.flip_p];
  const left = Math.floor(options.random_crop ? dx * (spare.x + 1) : spare.x / 2);
  const top = Math.floor(options.random_crop ? dy * (spare.y + 1) : spare.y / 2);
  const result = new Float32Array(size * size * 3);
  let at = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const from = ((top + y) * image.width + left + (flip ? size - 1 - x : x)) * 3;
      for (let c = 0; c < 3; c++) result[at++] = image.data[from + c] / 127.5 - 1;
    }
  }
  return result;
}

/** The first line of whatever was thrown. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
