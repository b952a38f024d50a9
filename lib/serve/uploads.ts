/** Pictures that clients send: checked, decoded, brought to a size that a model takes. */
import sharp from 'sharp';
import { Tensor } from '../tensor';
import { HttpError } from './http-error';
import type { ServeLimits } from './limits';

/** The kinds of files that are accepted, by their first bytes: decoders of other formats are never reached. */
const TYPES: readonly { name: string; matches(head: Buffer): boolean }[] = [
  { name: 'PNG', matches: (head) => head.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex')) },
  { name: 'JPEG', matches: (head) => head.subarray(0, 3).equals(Buffer.from('ffd8ff', 'hex')) },
  {
    name: 'WebP',
    matches: (head) => head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP',
  },
];

/** An 8-bit RGB picture. */
export interface UploadedPicture {
  data: Buffer;
  width: number;
  height: number;
}

/** What becomes of an upload: exactly this size, the middle of the picture where the shape differs. */
export interface Fit {
  width: number;
  height: number;
}

/**
 * Decodes an uploaded picture; orientation of cameras is applied, transparency laid on white.
 * @param field its name in the request
 * @param fit asked with the picture's own size
 * @throws HttpError 400 for what is no picture, 413 for one with too many pixels, 415 for another kind of file
 */
export async function decodeUpload(
  file: File | null | undefined,
  field: string,
  fit: (size: Fit) => Fit,
  limits: ServeLimits,
): Promise<UploadedPicture> {
  if (!file || file.size === 0)
    throw new HttpError(400, 'no_picture', `Expected a picture in the field '${field}'.`, field);
  const bytes = Buffer.from(await file.arrayBuffer());
  if (!TYPES.some(({ matches }) => matches(bytes)))
    throw new HttpError(
      415,
      'unsupported_picture',
      `Expected a ${TYPES.map((t) => t.name).join(', ')} file in '${field}'.`,
      field,
    );
  try {
    const input = () => sharp(bytes, { failOn: 'truncated', limitInputPixels: false });
    const { width = 0, height = 0, orientation = 1, pages = 1 } = await input().metadata();
    if (width * height * pages > limits.uploadPixels)
      throw new HttpError(
        413,
        'too_many_pixels',
        `Expected at most ${limits.uploadPixels / 1e6} megapixels but the picture has ${width} x ${height}. Make it smaller first.`,
        field,
      );
    const wanted = fit(orientation >= 5 ? { width: height, height: width } : { width, height });
    const { data, info } = await input()
      .autoOrient()
      .flatten({ background: 'white' })
      .resize({ ...wanted, fit: 'cover', kernel: field === 'mask' ? 'nearest' : 'lanczos3' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(
      400,
      'damaged_picture',
      `The picture in '${field}' cannot be read: ${(error as Error).message.split('\n')[0]}`,
      field,
    );
  }
}

/** [1, 3, H, W] in [0, 1]. */
export function pictureTensor({ data, width, height }: UploadedPicture, device: string): Tensor {
  using bytes = Tensor.from(new Uint8Array(data), [1, height, width, 3], { device });
  return bytes.to({ dtype: 'float32' }).div(255).permute(0, 3, 1, 2).contiguous();
}

/** [1, 1, H, W]: 1 where the mask is bright, else 0. */
export function maskTensor(mask: UploadedPicture, device: string): Tensor {
  using grey = pictureTensor(mask, device);
  return grey.mean([1], true).round();
}

/** The largest size of nearly this shape within a number of pixels whose sides are multiples of something. */
export function fitWithin(size: Fit, pixels: number, multiple: number): Fit {
  const shrink = Math.min(1, Math.sqrt(pixels / (size.width * size.height)));
  const side = (length: number) => Math.max(multiple, Math.floor((length * shrink) / multiple) * multiple);
  return { width: side(size.width), height: side(size.height) };
}
