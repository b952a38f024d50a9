/** Strong degradation (reference: ldm.modules.image_degradation.degradation_fn_bsr, that is bsrgan.py). */
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { degradeBsr } from './bsr';
import { WIDE_BLUR } from './steps';

/** Two blurs of kernels of 7 to 25 pixels, noise of 2 to 25 levels, JPEG of quality 30 to 95. See {@link degradeBsr}. */
export function bsrgan(image: Pixels, scale: number, random: DataRandom): Promise<Pixels> {
  return degradeBsr(image, scale, random, {
    blurs: 2,
    blur: WIDE_BLUR,
    resizeProbability: 0.75,
    noise: [2, 25],
    quality: [30, 95],
  });
}
