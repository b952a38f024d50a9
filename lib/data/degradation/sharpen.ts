/** Sharpening by an unsharp mask (reference: add_sharpening of ldm/modules/image_degradation/bsrgan.py). */
import { gaussian } from './blur-kernels';
import { convolve } from './convolve';
import type { FloatImage } from './float-image';

/** What cv2.GaussianBlur takes for a kernel of 51 pixels. */
const BLUR = gaussian(51, 8);
/** Differences from the blurred image up to this one, in levels of 8 bits, stay. */
const THRESHOLD = 10;
const WEIGHT = 0.5;

/** Enlarges what differs from the blurred image, where it differs much, without hard borders between these places. */
export function sharpen(image: FloatImage): FloatImage {
  const { data } = image;
  const blurred = convolve(image, BLUR).data;
  const differs = data.map((value, i) => (Math.fround(Math.abs(value - blurred[i])) * 255 > THRESHOLD ? 1 : 0));
  const share = convolve({ ...image, data: differs }, BLUR).data;
  return {
    ...image,
    data: data.map((value, i) => {
      const sharp = Math.min(Math.max(value + WEIGHT * (value - blurred[i]), 0), 1);
      return share[i] * sharp + (1 - share[i]) * value;
    }),
  };
}
