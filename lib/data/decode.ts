/**
 * Reads image files as `PIL.Image.open(file).convert('RGB')` does in the reference's data sets: alpha is dropped, palettes
 * and greys become RGB; colour profiles and the orientation tag of cameras are not looked at. sharp decodes on threads of
 * its own.
 */
import sharp, { type Sharp } from 'sharp';
import { LdmError } from '../errors';
import { firstLine } from './image';
import type { Pixels } from './pixels';

/** A file, or the bytes of one with its name for messages. */
export type ImageSource = string | { bytes: Uint8Array; name: string };

/**
 * @param options.background CSS colour to lay transparent images on, in place of dropping their alpha
 * @throws LdmError ERR_DATA when it is no image or is damaged
 */
export function readRgb(source: ImageSource, options: { background?: string } = {}): Promise<Pixels> {
  return decoding(source, async (image) => {
    const { space, hasAlpha } = await image.metadata();
    const { background } = options;
    if (background !== undefined && hasAlpha)
      return pixelsOf(image.flatten({ background }).removeAlpha().toColourspace('srgb'));
    if (space === 'cmyk') return fromCmyk(await pixelsOf(image.pipelineColourspace('cmyk').toColourspace('cmyk')));
    return pixelsOf(image.removeAlpha().toColourspace('srgb'));
  });
}

/**
 * Reads a map of labels: a greyscale image, one byte for each pixel.
 * @throws LdmError ERR_DATA when it is no greyscale image or is damaged
 */
export function readLabels(source: ImageSource): Promise<Pixels> {
  return decoding(source, async (image) => {
    const { channels, space } = await image.metadata();
    if (channels !== 1)
      throw new Error(`expected a greyscale image of labels but found ${channels} channels (${space})`);
    return pixelsOf(image.toColourspace('b-w'));
  });
}

async function decoding(source: ImageSource, decode: (image: Sharp) => Promise<Pixels>): Promise<Pixels> {
  const [input, name] = typeof source === 'string' ? [source, source] : [source.bytes, source.name];
  try {
    return await decode(sharp(input, { failOn: 'truncated', ignoreIcc: true }));
  } catch (error) {
    throw new LdmError('ERR_DATA', `Cannot read the image ${name}: ${firstLine(error)}`, { cause: error });
  }
}

async function pixelsOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** Pillow's conversion, which knows no inks: each colour is what cyan, magenta or yellow leaves of what black leaves. */
function fromCmyk({ data, width, height }: Pixels): Pixels {
  const out = new Uint8Array(width * height * 3);
  for (let i = 0, at = 0; i < data.length; i += 4) {
    const light = 255 - data[i + 3];
    for (let c = 0; c < 3; c++) {
      const product = data[i + c] * light + 128;
      out[at++] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return { data: out, width, height };
}
