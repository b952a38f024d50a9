/** Preprocessing of ImageNetSR (ldm/data/imagenet.py): a square cut of random size, resized by areas, and a degraded copy. */
import { type ImageSource, readRgb } from '../decode';
import { DEGRADATIONS, type DegradationName } from '../degradation';
import { centred, type Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { type OpenCvInterpolation, resizeOpenCv } from '../resize/opencv';
import { type PilInterpolation, resizePil } from '../resize/pil';
import { centerCut, cutAt, randomCut, smallestMaxSize } from './crops';
import { definePreprocessor } from './preprocessor';

export interface SuperResolutionArgs {
  source: ImageSource;
  /** Side of the image; LR_image has this divided by `downscale_f`. */
  size: number;
  /** bsrgan, bsrgan_light, cv_<interpolation> or pil_<interpolation>. */
  degradation: string;
  downscale_f: number;
  /** Side of the cut, as a part of the shorter side: drawn between these. */
  min_crop_f: number;
  max_crop_f: number;
  random_crop: boolean;
}

export const superResolution = definePreprocessor<SuperResolutionArgs>('super-resolution', async (args, random) => {
  const { size, min_crop_f, max_crop_f } = args;
  const whole = await readRgb(args.source);
  const part = min_crop_f + (max_crop_f - min_crop_f) * random.uniform();
  const side = Math.floor(Math.min(whole.width, whole.height) * part);
  const place = args.random_crop ? randomCut(whole, side, side, random) : centerCut(whole, side, side);
  const image = smallestMaxSize(cutAt(whole, place), size, 'area');
  const low = await degrade(image, args, random);
  return { arrays: { image: picture(image), LR_image: picture(low) } };
});

/** The image with 1 / downscale_f of its side. */
async function degrade(image: Pixels, args: SuperResolutionArgs, random: DataRandom): Promise<Pixels> {
  const { degradation, downscale_f } = args;
  const side = args.size / downscale_f;
  if (degradation.startsWith('pil_')) return resizePil(image, side, side, degradation.slice(4) as PilInterpolation);
  if (degradation.startsWith('cv_')) return resizeOpenCv(image, side, side, openCvName(degradation.slice(3)));
  return DEGRADATIONS[degradation as DegradationName](image, downscale_f, random);
}

function openCvName(name: string): OpenCvInterpolation {
  const names: Record<string, OpenCvInterpolation> = { bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos4' };
  return names[name] ?? (name as OpenCvInterpolation);
}

function picture({ data, width, height }: Pixels) {
  return { data: centred(data), shape: [height, width, 3] };
}
