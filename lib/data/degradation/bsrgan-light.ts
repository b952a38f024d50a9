/** Light degradation (reference: ldm.modules.image_degradation.degradation_fn_bsr_light, that is bsrgan_light.py). */
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { degradeBsr } from './bsr';
import { randint } from './draws';

/** One blur of a quarter of the width, noise of 1 or 2 levels, JPEG of quality 80 to 95. See {@link degradeBsr}. */
export function bsrganLight(image: Pixels, scale: number, random: DataRandom): Promise<Pixels> {
  return degradeBsr(image, scale, random, {
    blurs: 1,
    blur: {
      width: 1 / 4,
      anisotropicSize: (r) => randint(r, 2, 11) + 3,
      isotropicSize: (r) => randint(r, 2, 4) + 3,
    },
    resizeProbability: 0.8,
    noise: [1, 2],
    quality: [80, 95],
  });
}
