/** Steps that the degradations share (reference: ldm/modules/image_degradation/bsrgan.py). */
import { LdmError } from '../../errors';
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { type OpenCvInterpolation, resizeOpenCv } from '../resize/opencv';
import { anisotropicGaussian, type BlurKernel, gaussian, type SeparableKernel } from './blur-kernels';
import { convolve } from './convolve';
import { choice, randint } from './draws';
import { clip, type FloatImage, toLevels } from './float-image';
import { throughJpeg } from './jpeg';

/** Sides in pixels. */
export interface Size {
  width: number;
  height: number;
}

/**
 * Checks the arguments of a degradation.
 * @throws LdmError ERR_INVALID_ARGUMENT for a scale that is no integer above 0, or sides below twice the scale
 */
export function checkSizes({ width, height }: Pixels, scale: number): void {
  if (!Number.isInteger(scale) || scale < 1)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a scale that is an integer of at least 1 but received ${scale}`,
    );
  if (Math.min(width, height) < 2 * scale)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected an image of at least ${2 * scale} x ${2 * scale} pixels for a scale of ${scale} but received ${width} x ${height}`,
    );
}

/** The interpolations that are drawn from, in the reference's order. */
const INTERPOLATIONS: readonly OpenCvInterpolation[] = ['linear', 'cubic', 'area'];

/** Cuts what is beyond a multiple of the scale off at the right and at the bottom. */
export function modCrop(image: FloatImage, scale: number): FloatImage {
  const width = image.width - (image.width % scale);
  const height = image.height - (image.height % scale);
  if (width === image.width && height === image.height) return image;
  const data = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const begin = y * image.width * 3;
    data.set(image.data.subarray(begin, begin + width * 3), y * width * 3);
  }
  return { data, width, height };
}

/** To a multiple of a size, by one of the interpolations. */
export function resizeTo(image: FloatImage, { width, height }: Size, factor: number, random: DataRandom): FloatImage {
  const side = (length: number) => Math.max(Math.floor(factor * length), 1);
  return clip(resizeOpenCv(image, side(width), side(height), choice(random, INTERPOLATIONS)));
}

/** Which kernels are drawn. */
export interface BlurSettings {
  /** Factor on the widths. */
  width: number;
  /** Draws the sizes of stretched and of round kernels. */
  anisotropicSize(random: DataRandom): number;
  isotropicSize(random: DataRandom): number;
}

const wideSize = (random: DataRandom) => 2 * randint(random, 2, 11) + 3;

/** Kernels of 7 to 25 pixels. */
export const WIDE_BLUR: BlurSettings = { width: 1, anisotropicSize: wideSize, isotropicSize: wideSize };

/** Blurs with a stretched or a round Gaussian of random width. */
export function addBlur(image: FloatImage, scale: number, settings: BlurSettings, random: DataRandom): FloatImage {
  return convolve(image, drawKernel(scale, settings, random));
}

function drawKernel(scale: number, settings: BlurSettings, random: DataRandom): BlurKernel | SeparableKernel {
  if (random.uniform() >= 0.5) {
    const size = settings.isotropicSize(random);
    return gaussian(size, (2 + 0.2 * scale) * settings.width * drawWidth(random));
  }
  const largest = (4 + scale) * settings.width;
  const [variance1, variance2] = [largest * drawWidth(random), largest * drawWidth(random)];
  const size = settings.anisotropicSize(random);
  return anisotropicGaussian(size, random.uniform() * Math.PI, variance1, variance2);
}

/** Uniform, but never zero. */
function drawWidth(random: DataRandom): number {
  return Math.max(random.uniform(), 1e-9);
}

/** Smallest and largest quality of JPEG. */
export type Qualities = readonly [number, number];

/** Through JPEG of a random quality. */
export function compress(image: FloatImage, qualities: Qualities, random: DataRandom): Promise<Pixels> {
  return throughJpeg(toLevels(image), randint(random, ...qualities));
}
