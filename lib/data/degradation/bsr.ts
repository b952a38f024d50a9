/**
 * The degradation model of BSRGAN (Zhang et al. 2021, https://arxiv.org/abs/2103.14006) as latent diffusion uses it: blur,
 * resizing, noise and compression in random order (reference: degradation_bsrgan_variant of
 * ldm/modules/image_degradation/bsrgan.py and bsrgan_light.py). Its camera sensor's turn does nothing there, nor here.
 *
 * Departure: sides are cut to a multiple of the scale each; the reference mixes up width and height, which cuts an image that
 * is not square to another shape.
 */
import { LdmError } from '../../errors';
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { imresize } from '../resize/matlab';
import { type OpenCvInterpolation, resizeOpenCv } from '../resize/opencv';
import { anisotropicGaussian, type BlurKernel, gaussian, type SeparableKernel, shiftToUpperLeft } from './blur-kernels';
import { convolve } from './convolve';
import { choice, randint, uniform } from './draws';
import { clip, type FloatImage, toFloats, toLevels } from './float-image';
import { throughJpeg } from './jpeg';
import { addGaussianNoise, type NoiseLevels } from './noise';

/** What one degradation model has otherwise than another. */
export interface BsrSettings {
  /** How often an image is blurred. */
  blurs: 1 | 2;
  /** Factor on the widths of the blur. */
  blurWidth: number;
  /** Draws the sizes of the two kinds of kernels. */
  anisotropicSize(random: DataRandom): number;
  isotropicSize(random: DataRandom): number;
  /** Probability that the first of two reductions is to a random size; else it blurs and takes every scale-th pixel. */
  resizeProbability: number;
  noise: NoiseLevels;
  /** Smallest and largest quality of JPEG. */
  quality: readonly [number, number];
}

/** The interpolations that are drawn from, in the reference's order. */
const INTERPOLATIONS: readonly OpenCvInterpolation[] = ['linear', 'cubic', 'area'];

/**
 * Makes a low-resolution image.
 * @param image its sides at least twice the scale
 * @param scale factor between the sides before and after, an integer of at least 1
 * @throws LdmError ERR_INVALID_ARGUMENT for another scale or an image that is too small
 */
export async function degradeBsr(
  image: Pixels,
  scale: number,
  random: DataRandom,
  settings: BsrSettings,
): Promise<Pixels> {
  checkSizes(image, scale);
  let x = modCrop(toFloats(image), scale);
  let factor = scale;
  if (scale === 4 && random.uniform() < 0.25) {
    x = clip(random.uniform() < 0.5 ? reduce(x, x, 2, random) : imresize(x, 1 / 2));
    factor = 2;
  }
  let full: Size = x;
  for (const step of stepOrder(random)) {
    if (step === 0 || (step === 1 && settings.blurs === 2)) x = addBlur(x, factor, random, settings);
    if (step === 2) {
      full = x;
      x = clip(firstReduction(x, factor, random, settings));
    }
    if (step === 3) x = clip(reduce(x, full, factor, random));
    if (step === 4) x = addGaussianNoise(x, settings.noise, random);
    if (step === 5 && random.uniform() < 0.9) x = toFloats(await compress(x, random, settings));
  }
  return compress(x, random, settings);
}

interface Size {
  width: number;
  height: number;
}

function checkSizes({ width, height }: Pixels, scale: number): void {
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

/** Steps 0 to 6 in random order, step 2 before step 3. */
function stepOrder(random: DataRandom): number[] {
  const order = [...random.permutation(7)];
  const [a, b] = [order.indexOf(2), order.indexOf(3)];
  if (a > b) [order[a], order[b]] = [3, 2];
  return order;
}

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

/** To a size, divided by a factor, by one of the interpolations. */
function reduce(image: FloatImage, { width, height }: Size, factor: number, random: DataRandom): FloatImage {
  const part = 1 / factor;
  return resizeOpenCv(image, Math.floor(part * width), Math.floor(part * height), choice(random, INTERPOLATIONS));
}

function firstReduction(image: FloatImage, scale: number, random: DataRandom, settings: BsrSettings): FloatImage {
  if (random.uniform() < settings.resizeProbability) return reduce(image, image, uniform(random, 1, 2 * scale), random);
  const kernel = shiftToUpperLeft(gaussian(25, uniform(random, 0.1, 0.6 * scale)), scale);
  return everyNth(convolve(image, kernel), scale);
}

/** Every n-th pixel of every n-th row, from the first ones on. */
function everyNth({ data, width, height }: FloatImage, n: number): FloatImage {
  const [columns, rows] = [Math.ceil(width / n), Math.ceil(height / n)];
  const result = new Float32Array(columns * rows * 3);
  let at = 0;
  for (let y = 0; y < height; y += n) {
    for (let x = 0; x < width; x += n) {
      for (let c = 0; c < 3; c++) result[at++] = data[(y * width + x) * 3 + c];
    }
  }
  return { data: result, width: columns, height: rows };
}

/** Blurs with a stretched or a round Gaussian of random width. */
function addBlur(image: FloatImage, scale: number, random: DataRandom, settings: BsrSettings): FloatImage {
  return convolve(image, drawKernel(scale, random, settings));
}

function drawKernel(scale: number, random: DataRandom, settings: BsrSettings): BlurKernel | SeparableKernel {
  if (random.uniform() >= 0.5) {
    const size = settings.isotropicSize(random);
    return gaussian(size, (2 + 0.2 * scale) * settings.blurWidth * drawWidth(random));
  }
  const largest = (4 + scale) * settings.blurWidth;
  const [variance1, variance2] = [largest * drawWidth(random), largest * drawWidth(random)];
  const size = settings.anisotropicSize(random);
  return anisotropicGaussian(size, random.uniform() * Math.PI, variance1, variance2);
}

/** Uniform, but never zero. */
function drawWidth(random: DataRandom): number {
  return Math.max(random.uniform(), 1e-9);
}

function compress(image: FloatImage, random: DataRandom, { quality }: BsrSettings): Promise<Pixels> {
  return throughJpeg(toLevels(image), randint(random, ...quality));
}
