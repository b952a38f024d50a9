import { layoutPictures } from '../../lib/pictures/layout-pictures';
import { textPictures } from '../../lib/pictures/text-pictures';
import type { Tensor } from '../../lib/tensor';

/** Colour of a pixel as [r, g, b], 0 to 255. */
async function pixel(pictures: Tensor, index: number, x: number, y: number): Promise<number[]> {
  const colour = await pictures.select(0, index).select(2, x).select(1, y).add(1).mul(127.5).data();
  return Array.from(colour as Float32Array, Math.round);
}

test('boxes are drawn with their labels on white', async () => {
  const whole = [0, 0, 1, 1] as const;
  using pictures = await layoutPictures([
    { objects: [{ label: 'Cat', box: [0.25, 0.25, 0.5, 0.25] }], crop: whole },
    { objects: [], crop: null },
  ]);
  expect(pictures.shape).toEqual([2, 3, 256, 256]);
  expect(await pixel(pictures, 0, 65, 65)).toEqual([30, 118, 179]); // the first colour of the palette
  expect(await pixel(pictures, 0, 192, 100)).toEqual([30, 118, 179]); // the frame's last column, as PIL has it
  expect(await pixel(pictures, 0, 193, 100)).toEqual([255, 255, 255]);
  expect(await pixel(pictures, 0, 1, 128)).toEqual([63, 63, 63]); // the crop's frame
  expect(await pixel(pictures, 1, 1, 128)).toEqual([255, 255, 255]);
  // The label stands within the box, in the one picture only.
  const dark = async (i: number) =>
    (await pictures.select(0, i).slice(1, 67, 82).slice(2, 67, 120).min().item()) < -0.5;
  expect([await dark(0), await dark(1)]).toEqual([true, false]);
});

test('texts are broken into lines', async () => {
  using pictures = await textPictures(['a'.repeat(100), ''], { width: 256, height: 64 });
  expect(pictures.shape).toEqual([2, 3, 64, 256]);
  const darkest = (from: number, to: number) => pictures.select(0, 0).slice(1, from, to).min().item();
  // 40 characters a line: the third of them has 20.
  for (const line of [0, 1, 2]) expect(await darkest(line * 13, line * 13 + 12)).toBeLessThan(-0.5);
  expect(await darkest(42, 64)).toBe(1);
  expect(await pictures.select(0, 1).min().item()).toBe(1);
});
