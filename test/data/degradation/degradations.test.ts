import { DEGRADATIONS } from '../../../lib/data/degradation';
import { DataRandom } from '../../../lib/data/random';
import { distance, expected, picture, unpacked } from './expected';

describe('degradations', () => {
  it.each(expected.degradations)(
    "with the same random numbers $name gives the reference's image (seed $seed, scale $scale)",
    async ({ name, seed, scale, side, image, last = 0, next }) => {
      const random = new DataRandom(seed);
      const degraded = await DEGRADATIONS[name](picture(side, side), scale, random);
      expect([degraded.height, degraded.width, 3]).toEqual(image.shape);
      expect(distance(degraded.data, unpacked(image))).toBe(0);
      // It drew as often as the reference, whose bsrgan_plus then draws the place of a part.
      for (let i = 0; i < last; i++) random.uniform();
      expect(random.uint32()).toBe(next);
    },
  );

  it('keeps the shape of an image that is not square, cut to multiples of the scale', async () => {
    const { width, height } = await DEGRADATIONS.bsrgan_light(picture(50, 35), 4, new DataRandom(1));
    expect([width, height]).toEqual([12, 8]);
  });

  it('leaves the image as it was', async () => {
    const image = picture(32, 32);
    const before = image.data.slice();
    await DEGRADATIONS.bsrgan(image, 4, new DataRandom(3));
    expect(distance(image.data, before)).toBe(0);
  });

  it('refuses a scale that is not whole and an image that is too small', async () => {
    const random = new DataRandom(1);
    await expect(DEGRADATIONS.bsrgan(picture(32, 32), 2.5, random)).rejects.toThrow(
      'Expected a scale that is an integer of at least 1 but received 2.5',
    );
    await expect(DEGRADATIONS.bsrgan(picture(32, 7), 4, random)).rejects.toThrow(
      'Expected an image of at least 8 x 8 pixels for a scale of 4 but received 32 x 7',
    );
  });
});
