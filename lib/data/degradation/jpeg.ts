/** Compression as a degradation (reference: add_JPEG_noise of ldm/modules/image_degradation/bsrgan.py). */
import sharp from 'sharp';
import type { Pixels } from '../pixels';

/**
 * Writes an image as JPEG and reads it again. The colours have half the resolution (4:2:0), as in files of libjpeg's own
 * settings.
 * @param quality 1 to 100
 */
export async function throughJpeg({ data, width, height }: Pixels, quality: number): Promise<Pixels> {
  const file = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:2:0' })
    .toBuffer();
  return { data: await sharp(file).raw().toBuffer(), width, height };
}
