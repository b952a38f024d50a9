import { toFloats } from '../../../lib/data/degradation/float-image';
import { imresize } from '../../../lib/data/resize/matlab';
import { resizeOpenCv } from '../../../lib/data/resize/opencv';
import { distance, expected, picture, unpacked } from '../degradation/expected';

describe('resizeOpenCv', () => {
  it.each(expected.resized)('$interpolation of $size to $to ($image.dtype)', ({ size, to, interpolation, image }) => {
    const source = picture(...size);
    const floats = image.dtype === 'float32';
    const resized = floats
      ? resizeOpenCv(toFloats(source), ...to, interpolation)
      : resizeOpenCv(source, ...to, interpolation);
    expect([resized.height, resized.width, 3]).toEqual(image.shape);
    // Grey levels are equal; floats are to rounding.
    expect(distance(resized.data, unpacked(image))).toBeLessThanOrEqual(floats ? 5e-7 : 0);
  });

  it('takes any number of channels', () => {
    const grey = resizeOpenCv({ data: Uint8Array.from([0, 100, 200, 60]), width: 2, height: 2 }, 1, 1, 'area');
    expect([...grey.data]).toEqual([90]);
  });

  it('refuses an empty size', () => {
    expect(() => resizeOpenCv(picture(4, 4), 0, 3, 'area')).toThrow('at least 1 x 1 pixels but received 0 x 3');
  });
});

describe('imresize', () => {
  it.each(expected.imresize)("equals the reference's: $size by $scale", ({ size, scale, image }) => {
    const resized = imresize(toFloats(picture(...size)), scale);
    expect([resized.height, resized.width, 3]).toEqual(image.shape);
    expect(distance(resized.data, unpacked(image))).toBeLessThan(4e-7);
  });
});
