/**
 * The degradation model of BSRGAN (Zhang et al. 2021, https://arxiv.org/abs/2103.14006) as latent diffusion uses it: blur,
 * resizing, noise and compression in random order (reference: degradation_bsrgan_variant of
 * ldm/modules/image_degradation/bsrgan.py and bsrgan_light.py). Its camera sensor's turn does nothing there, nor here.
 *
 * Departure: sides are cut to a multiple of the scale each; the reference mixes up width and height, which cuts an image that
 * is not square to another shape.
 */
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { imresize } from '../resize/matlab';
import { gaussian, shiftToUpperLeft } from './blur-kernels';
import { convolve } from './convolve';
import { uniform } from './draws';
import { clip, type FloatImage, toFloats } from './float-image';
import { addGaussianNoise, type NoiseLevels } from './noise';
import {
  addBlur,
  type BlurSettings,
  checkSizes,
  compress,
  modCrop,
  type Qualities,
  resizeTo,
  type Size,
} from './steps';

/** What one degradation model has otherwise than another. */
export interface BsrSettings {
  /** How often an image is blurred. */
  blurs: 1 | 2;
  blur: BlurSettings;
  /** Probability that the first of two reductions is to a random size; else it blurs and takes every scale-th pixel. */
  resizeProbability: number;
  noise: NoiseLevels;
  quality: Qualities;
}

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
    x = random.uniform() < 0.5 ? resizeTo(x, x, 1 / 2, random) : clip(imresize(x, 1 / 2));
    factor = 2;
  }
  let full: Size = x;
  for (const step of stepOrder(random)) {
    if (step === 0 || (step === 1 && settings.blurs === 2)) x = addBlur(x, factor, settings.blur, random);
    if (step === 2) {
      full = x;
      x = firstReduction(x, factor, settings, random);
    }
    if (step === 3) x = resizeTo(x, full, 1 / factor, random);
    if (step === 4) x = addGaussianNoise(x, settings.noise, random);
    if (step === 5 && random.uniform() < 0.9) x = toFloats(await compress(x, settings.quality, random));
  }
  return compress(x, settings.quality, random);
}

/** Steps 0 to 6 in random order, step 2 before step 3. */
function stepOrder(random: DataRandom): number[] {
  const order = [...random.permutation(7)];
  const [a, b] = [order.indexOf(2), order.indexOf(3)];
  if (a > b) [order[a], order[b]] = [3, 2];
  return order;
}

function firstReduction(image: FloatImage, scale: number, settings: BsrSettings, random: DataRandom): FloatImage {
  if (random.uniform() < settings.resizeProbability)
    return resizeTo(image, image, 1 / uniform(random, 1, 2 * scale), random);
  const kernel = shiftToUpperLeft(gaussian(25, uniform(random, 0.1, 0.6 * scale)), scale);
  return clip(everyNth(convolve(image, kernel), scale));
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
