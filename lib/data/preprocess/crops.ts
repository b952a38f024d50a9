/** Rescaling and cutting as albumentations 0.4.3 does it, which the reference's environment pins. */
import { LdmError } from '../../errors';
import { cut, type Pixels } from '../pixels';
import type { DataRandom } from '../random';
import { type OpenCvInterpolation, resizeOpenCv } from '../resize/opencv';

/** SmallestMaxSize: the shorter side becomes `size`. */
export function smallestMaxSize(image: Pixels, size: number, interpolation: OpenCvInterpolation = 'linear'): Pixels {
  const scale = size / Math.min(image.width, image.height);
  if (scale === 1) return image;
  const [width, height] = [pythonRound(image.width * scale), pythonRound(image.height * scale)];
  return resizeOpenCv(image, width, height, interpolation);
}

/** The place of a cut: left upper corner and side. */
export interface Cut {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** CenterCrop. */
export function centerCut(image: Pixels, width: number, height: number): Cut {
  checkSize(image, width, height);
  return {
    left: Math.floor((image.width - width) / 2),
    top: Math.floor((image.height - height) / 2),
    width,
    height,
  };
}

/** RandomCrop; the last row and column are never reached, as in the version pinned. */
export function randomCut(image: Pixels, width: number, height: number, random: DataRandom): Cut {
  // Drawn always and in this order: what is random about an image does not depend on its shape.
  const [down, right] = [random.uniform(), random.uniform()];
  checkSize(image, width, height);
  return {
    left: Math.floor((image.width - width) * right),
    top: Math.floor((image.height - height) * down),
    width,
    height,
  };
}

export function cutAt(image: Pixels, { left, top, width, height }: Cut): Pixels {
  return cut(image, left, top, width, height);
}

function checkSize(image: Pixels, width: number, height: number): void {
  if (image.width < width || image.height < height)
    throw new LdmError(
      'ERR_DATA',
      `A cut of ${width}x${height} pixels does not fit into an image of ${image.width}x${image.height}.`,
    );
}

/** Python's round: halves become even. */
export function pythonRound(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}
