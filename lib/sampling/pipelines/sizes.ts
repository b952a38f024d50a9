/** What sizes of pictures a model can make. */
import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import type { DDPM } from '../../models/ddpm';

/** Height and width in pixels. */
export interface PictureSize {
  height: number;
  width: number;
}

/** Levels of a list such as channel_mult: each but the first halves the resolution. */
function halvings(params: Readonly<Record<string, unknown>> | undefined, key: string): number {
  const levels = params?.[key];
  return Array.isArray(levels) ? levels.length - 1 : 0;
}

/** Pixels for one position of a latent, along each side: 1 without a first stage, 8 for KL-f8. */
export function firstStageFactor(model: DDPM): number {
  const stage = model.params.first_stage_config as ResolvedNode | undefined;
  return 2 ** halvings(stage?.params.ddconfig as Record<string, unknown> | undefined, 'ch_mult');
}

/** What the sides of a latent have to be multiples of: the U-Net halves them so many times. */
export function latentMultiple(model: DDPM): number {
  return 2 ** halvings((model.params.unet_config as ResolvedNode).params, 'channel_mult');
}

/** The size that a model was trained for. */
export function trainedSize(model: DDPM): PictureSize {
  const [, height, width] = model.sampleShape;
  const factor = firstStageFactor(model);
  return { height: height * factor, width: width * factor };
}

/**
 * Shape of the latent of a picture, [c, h, w].
 * @param what what has this size, for the error
 * @throws LdmError ERR_INVALID_ARGUMENT when a side is no multiple of what the networks can halve
 */
export function latentShape(model: DDPM, size: PictureSize, what = 'the picture'): [number, number, number] {
  const factor = firstStageFactor(model);
  const multiple = factor * latentMultiple(model);
  for (const [side, pixels] of Object.entries({ height: size.height, width: size.width }))
    if (!Number.isInteger(pixels) || pixels < multiple || pixels % multiple !== 0) {
      const near = Math.max(multiple, Math.round(pixels / multiple) * multiple);
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected the ${side} of ${what} to be a multiple of ${multiple} pixels, which is what this model's networks ` +
          `can halve, but received ${pixels} (${size.width} x ${size.height}). The nearest is ${near}.`,
      );
    }
  return [model.sampleShape[0], size.height / factor, size.width / factor];
}
