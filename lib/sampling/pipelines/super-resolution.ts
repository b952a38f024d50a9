/** Super-resolution, as notebook_helpers.py does it with bsr_sr: the small picture is concatenated to the latent. */

import type { ResolvedNode } from '../../config';
import type { SplitInputParams } from '../../config/split-input';
import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { firstStageFactor, latentShape } from './sizes';

export interface SuperResolveOptions extends PipelineOptions {
  /** Small pictures [n, 3, h, w] in [0, 1]. */
  image: Tensor;
  /**
   * How networks and first stage cut large inputs into overlapping patches. Default: as the notebook, in patches of 128 x 128
   * pixels of the small picture that overlap by half. null: as the model is set (`setSplitInputParams`), which is not at all
   * by default.
   */
  splitInput?: SplitInputParams | null;
}

const PATCH = 128;
const STRIDE = 64;

/**
 * The notebook's patches of an enlarged picture; null for one that is no larger than a patch. Departures: sides below 128
 * positions work (the notebook fails from 128 pixels up to 128 positions), and where steps of 64 do not end at the border (the
 * notebook's pictures are not defined there) the largest smaller step that does is taken.
 */
export function superResolutionPatches(model: LatentDiffusion, height: number, width: number): SplitInputParams | null {
  const factor = firstStageFactor(model);
  const sides = [height / factor, width / factor];
  if (sides.every((side) => side <= PATCH)) return null;
  const stride = (side: number) => {
    let step = Math.min(STRIDE, side);
    while (side > PATCH && (side - PATCH) % step !== 0) step--;
    return step;
  };
  return { ks: sides.map((side) => Math.min(side, PATCH)), stride: sides.map(stride), vqf: factor };
}

/** Whether a model is conditioned on a small picture. */
export function isSuperResolutionModel(model: LatentDiffusion): boolean {
  return model.params.cond_stage_key === 'LR_image';
}

/**
 * Enlarges pictures by the factor of the model's first stage (4 for bsr_sr) with DDIM (100 steps, eta 1) or another sampler.
 * @returns [n, 3, factor * h, factor * w] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that does not enlarge, or a size that the networks cannot halve
 */
export async function superResolve(model: LatentDiffusion, options: SuperResolveOptions): Promise<Tensor> {
  const { image, splitInput, ...run } = options;
  if (!isSuperResolutionModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected a super-resolution model (cond_stage_key LR_image) but this one has '${model.params.cond_stage_key}'`,
    );
  if (image.dim !== 4)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected pictures [n, 3, h, w] but received [${image.shape}]`);
  const factor = firstStageFactor(model);
  const [n, , h, w] = image.shape;
  const shape = latentShape(model, { height: h * factor, width: w * factor }, 'the enlarged picture');
  const { signal, precision } = options;
  const conditioning = await noGrad(() => model.getLearnedConditioning(image.mul(2).sub(1), { signal, precision }));
  const plan = { shape: [n, ...shape] as const, conditioning, defaults: { steps: 100, eta: 1 } };
  drawPosterior(model, plan.shape, run);
  const split = splitInput === undefined ? superResolutionPatches(model, h * factor, w * factor) : splitInput;
  if (split) await model.setSplitInputParams(split);
  try {
    return await decodePictures(model, await drawLatents(model, plan, run), run);
  } finally {
    if (split) await model.setSplitInputParams(null);
  }
}

/**
 * The notebook encodes the enlarged picture for the shape of its latent. With a KL first stage that draws numbers, so the
 * same seed goes on from there.
 */
function drawPosterior(model: LatentDiffusion, shape: readonly number[], { random }: PipelineOptions): void {
  const stage = model.params.first_stage_config as ResolvedNode;
  if (random && stage.target.endsWith('.AutoencoderKL'))
    Tensor.randn(shape, { random, device: model.device }).dispose();
}
