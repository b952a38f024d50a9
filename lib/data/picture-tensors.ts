/** Image files as tensors for the pipelines, read as the reference's scripts read them. */
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { type ImageSource, readLabels, readRgb } from './decode';
import type { Pixels } from './pixels';
import { resizePil } from './resize/pil';

/** Levels 0..255 as float32 in [0, 1]: numpy's `levels.astype(float32) / 255`. */
const UNIT = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/**
 * A picture as [1, 3, H, W] in [0, 1]; alpha is dropped, greys and palettes become colours.
 * @param options.multiple make its sides the next smaller multiples of this number, with Pillow's Lanczos filter
 * @throws LdmError ERR_DATA when it is no image, is damaged, or has sides below `multiple`
 */
export async function readPicture(source: ImageSource, options: { multiple?: number } = {}): Promise<Tensor> {
  const { data, width, height } = cut(await readRgb(source), options.multiple ?? 1);
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) values[c * plane + i] = UNIT[data[3 * i + c]];
  return Tensor.from(values, [1, 3, height, width]);
}

/**
 * A mask as [1, 1, H, W]: 1 where the picture's brightness is at least one half, else 0.
 * @throws LdmError ERR_DATA when it is no image or is damaged
 */
export async function readMask(source: ImageSource): Promise<Tensor> {
  const image = await readRgb(source);
  return Tensor.from(
    Float32Array.from(brightness(image), (level) => (level >= 128 ? 1 : 0)),
    [1, 1, image.height, image.width],
  );
}

/**
 * A map of labels as int64 [1, H, W].
 * @param options.shift add 1 to each (taming's shift_segmentation): 255, which stands for no label, becomes 0
 * @throws LdmError ERR_DATA when it is no greyscale image or is damaged
 */
export async function readLabelMap(source: ImageSource, options: { shift?: boolean } = {}): Promise<Tensor> {
  const { data, width, height } = await readLabels(source);
  const labels = BigInt64Array.from(data, (level) => BigInt(options.shift ? (level + 1) % 256 : level));
  return Tensor.from(labels, [1, height, width]);
}

/** Resized to multiples of a number. */
function cut(image: Pixels, multiple: number): Pixels {
  const [width, height] = [image.width, image.height].map((side) => side - (side % multiple));
  if (width === 0 || height === 0)
    throw new LdmError(
      'ERR_DATA',
      `Expected a picture of at least ${multiple} x ${multiple} pixels but received ${image.width} x ${image.height}`,
    );
  return resizePil(image, width, height, 'lanczos');
}

/** PIL's conversion to greyscale: ITU-R 601-2 in integers. */
function brightness({ data, width, height }: Pixels): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let i = 0, p = 0; i < out.length; i++, p += 3)
    out[i] = (data[p] * 19595 + data[p + 1] * 38470 + data[p + 2] * 7471 + 0x8000) >> 16;
  return out;
}
