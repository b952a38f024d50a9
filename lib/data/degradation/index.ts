/** Degradations by the names that configs of super-resolution use. A new one is one file beside this and one line here. */
import type { Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { bsrgan } from './bsrgan';
import { bsrganLight } from './bsrgan-light';
import { bsrganPlus } from './bsrgan-plus';

/**
 * Makes a low-resolution image: what a camera, a compressor and a resizer may have left of `image`.
 *
 * All that is random comes from `random`: the same stream gives the same image. The pixel loops run in the caller's thread,
 * about 50 ms for 256 x 256 pixels; data sets run them in worker threads.
 * @param scale factor between the sides before and after, an integer of at least 1
 * @throws LdmError ERR_INVALID_ARGUMENT for another scale, or an image whose sides are less than twice the scale
 */
export type Degradation = (image: Pixels, scale: number, random: DataRandom) => Promise<Pixels>;

export const DEGRADATIONS = {
  bsrgan,
  bsrgan_light: bsrganLight,
  bsrgan_plus: bsrganPlus,
} as const satisfies Record<string, Degradation>;

/** Name of a degradation. */
export type DegradationName = keyof typeof DEGRADATIONS;
