/** Pictures changed by any guide: as a whole (SDEdit, https://arxiv.org/abs/2108.01073), or where a mask says. */
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import { DDIMSampler } from '../ddim-sampler';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { encodeGuide, type Guide, type GuideConditions } from './guide';
import { checkInpainting } from './inpaint';
import { firstStageFactor, latentShape } from './sizes';

/**
 * The scaled latents of pictures: draws from the first stage's posterior, as in the original script.
 * @param pictures [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a size that the networks cannot halve
 */
export async function encodePictures(
  model: LatentDiffusion,
  pictures: Tensor,
  options: Pick<PipelineOptions, 'random' | 'precision' | 'signal' | 'tile'> = {},
): Promise<Tensor> {
  latentShape(model, { height: pictures.shape[2], width: pictures.shape[3] });
  return model.encodeFirstStage(pictures.mul(2).sub(1), options);
}

/** The step that a strength means: the noise that is added, and how many steps take it away. */
export function stepOfStrength(strength: number, steps: number): number {
  return Math.trunc(strength * steps);
}

export interface ChangeOptions extends Omit<PipelineOptions, 'sampler' | 'xT'> {
  /** The pictures to begin with, as `encodePictures` gives them, [n, c, h, w]. */
  latents: Tensor;
  /** How much of them is lost, 0 to 1. */
  strength: number;
  conditions: GuideConditions;
}

/**
 * Adds noise to latents and takes it away with DDIM: strength * steps of the steps (50) are done.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a strength beyond 0 to 1
 */
export async function changePictures(model: LatentDiffusion, options: ChangeOptions): Promise<Tensor> {
  const { latents, strength, conditions, eta = 0, ...run } = options;
  if (!(strength >= 0 && strength <= 1))
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a strength from 0 to 1 but received ${strength}`);
  const { conditioning, unconditionalConditioning, scale } = conditions;
  const steps = options.steps ?? Math.min(50, model.numTimesteps);
  const sampler = new DDIMSampler(model);
  const startStep = stepOfStrength(strength, steps);
  const noisy = await sampler.stochasticEncode(latents, startStep, { ...run, steps, onProgress: undefined });
  if (startStep === 0) return decodePictures(model, noisy, run);
  const { samples } = await sampler.decode(noisy, {
    ...run,
    steps,
    startStep,
    eta,
    conditioning,
    unconditionalConditioning,
    unconditionalGuidanceScale: unconditionalConditioning ? scale : 1,
  });
  return decodePictures(model, samples, run);
}

export interface RepaintOptions extends Omit<PipelineOptions, 'xT'> {
  /** Pictures [n, 3, H, W] in [0, 1]. */
  image: Tensor;
  /** 1 where the picture is drawn anew, 0 where it stays, [n, 1, H, W]. */
  mask: Tensor;
  guide?: Guide;
}

/**
 * Draws the masked part anew with a model that was not trained for it: after each step the rest of the latent is replaced by
 * that of the picture, with as much noise as the step has (as the reference's log_images inpaints). The rest of the pictures
 * themselves stays as it is. DDIM (50 steps, eta 0) or another sampler.
 * @returns [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT as `encodeGuide`, or for a size that the networks cannot halve
 */
export async function repaint(model: LatentDiffusion, options: RepaintOptions): Promise<Tensor> {
  const { image, mask, guide = {}, ...run } = options;
  const { n } = checkInpainting(image, mask);
  const latents = await encodePictures(model, image, run);
  const conditions = await encodeGuide(model, n, guide, run);
  const held = cellsWithout(mask, firstStageFactor(model));
  const shape = latents.shape as [number, number, number, number];
  const plan = { shape, ...conditions, mask: held, x0: latents, defaults: { steps: 50, eta: 0 } };
  const samples = await drawLatents(model, plan, run);
  const drawn = await decodePictures(model, samples, run);
  return mask.neg().add(1).mul(image).add(mask.mul(drawn));
}

/** 1 for the positions of a latent none of whose pixels is masked. */
function cellsWithout(mask: Tensor, factor: number): Tensor {
  const [n, , height, width] = mask.shape;
  return mask
    .reshape(n, height / factor, factor, width / factor, factor)
    .max([2, 4])
    .unsqueeze(1)
    .neg()
    .add(1);
}
