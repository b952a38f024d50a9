/**
 * BSRGAN's degradation extended by Real-ESRGAN's (Wang et al. 2021, https://arxiv.org/abs/2107.10833), which goes through all
 * twice (reference: degradation_bsrgan_plus of ldm/modules/image_degradation/bsrgan.py, which none of its data sets uses).
 * There is no model of a camera's sensor: its turns do nothing.
 *
 * Departures: the whole image is degraded, not a random part; sides are cut as in bsr.ts; a size is never 0.
 */
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { permuted, uniform } from './draws';
import { type FloatImage, toFloats } from './float-image';
import { addGaussianNoise, addPoissonNoise, addSpeckleNoise } from './noise';
import { sharpen } from './sharpen';
import { addBlur, checkSizes, compress, modCrop, type Qualities, resizeTo, WIDE_BLUR } from './steps';

const QUALITY: Qualities = [30, 95];
const LEVELS = [2, 25] as const;
/** Probability of each rarer kind of noise. */
const RARELY = 0.1;

type Step = (image: FloatImage, scale: number, random: DataRandom) => FloatImage | Promise<FloatImage>;

const blur: Step = (image, scale, random) => addBlur(image, scale, WIDE_BLUR, random);
const resize: Step = (image, scale, random) => resizeTo(image, image, drawFactor(scale, random), random);
const gaussianNoise: Step = (image, _, random) => addGaussianNoise(image, LEVELS, random);
const poissonNoise: Step = (image, _, random) => (random.uniform() < RARELY ? addPoissonNoise(image, random) : image);
const speckles: Step = (image, _, random) =>
  random.uniform() < RARELY ? addSpeckleNoise(image, LEVELS, random) : image;
const jpeg: Step = async (image, _, random) => toFloats(await compress(image, QUALITY, random));
const sensor: Step = (image, _, random) => {
  random.uniform();
  return image;
};

const noises = [gaussianNoise, poissonNoise, speckles, sensor];

/**
 * Sharpens, then blurs, resizes, adds noise and compresses twice, in an order that is random in half of the cases; the other
 * half shuffles the kinds of noise. See {@link Degradation}.
 */
export async function bsrganPlus(image: Pixels, scale: number, random: DataRandom): Promise<Pixels> {
  checkSizes(image, scale);
  const sharp = sharpen(modCrop(toFloats(image), scale));
  let x = sharp;
  for (const step of steps(random)) x = await step(x, scale, random);
  return compress(resizeTo(x, sharp, 1 / scale, random), QUALITY, random);
}

function steps(random: DataRandom): Step[] {
  if (random.uniform() < 0.5) return permuted(random, [blur, resize, ...noises, jpeg, blur, resize, ...noises]);
  const first = permuted(random, noises);
  return [blur, resize, ...first, jpeg, blur, resize, ...permuted(random, noises)];
}

/** Enlarges at most twice, leaves as it is, or reduces at most to twice the scale. */
function drawFactor(scale: number, random: DataRandom): number {
  const kind = random.uniform();
  if (kind > 0.8) return uniform(random, 1, 2);
  return kind < 0.7 ? uniform(random, 0.5 / scale, 1) : 1;
}
