/** Inpainting as a text says, as scripts/streamlit/inpainting.py of Stable Diffusion 2 does it. */
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { LatentInpaintDiffusion } from '../../models/latent-inpaint-diffusion';
import { Tensor } from '../../tensor';
import type { PipelineOptions } from './draw';
import { checkInpainting, type InpaintOptions, smallMask } from './inpaint';
import { latentShape } from './sizes';
import { drawByTexts, encodeTexts, type TextOptions } from './text-to-image';

export interface InpaintByTextOptions extends InpaintOptions, TextOptions {}

/** Whether a model fills in what is masked as a text says. */
export function isTextInpaintingModel(model: LatentDiffusion): model is LatentInpaintDiffusion {
  return model instanceof LatentInpaintDiffusion;
}

/**
 * Fills in the masked part with DDIM (50 steps, eta 0, guidance 10) or another sampler. The rest has gone through the first stage,
 * too: nothing is pasted back.
 * @returns [n, 3, H, W] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that does not inpaint by text, for other numbers of prompts and pictures, or a
 *   size that the networks cannot halve
 */
export async function inpaintByText(model: LatentDiffusion, options: InpaintByTextOptions): Promise<Tensor> {
  const { image, mask, prompts, scale = 10, negativePrompt, ...run } = options;
  if (!isTextInpaintingModel(model))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'Expected a LatentInpaintDiffusion: this model does not inpaint by text.',
    );
  const { n, height, width } = checkInpainting(image, mask);
  if (prompts.length !== n)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected ${n} prompts, one for each picture, but received ${prompts.length}`,
    );
  const shape = latentShape(model, { height, width });
  const texts = await encodeTexts(model, { prompts, scale, negativePrompt }, run);
  const concat = [await inpaintingChannels(model, image, mask, run)];
  const conditionOf = (c: Tensor) => ({ c_concat: concat, c_crossattn: [c] });
  return drawByTexts(model, { shape: [n, ...shape], texts, scale, conditionOf }, run);
}

/** The mask (1 where to fill in) and the latent of the rest, in the order of the model's concat_keys. */
async function inpaintingChannels(
  model: LatentInpaintDiffusion,
  image: Tensor,
  mask: Tensor,
  { random, signal, precision, tile }: PipelineOptions,
): Promise<Tensor> {
  const masked = image.mul(2).sub(1).mul(mask.neg().add(1));
  const latent = await model.encodeFirstStage(masked, { random, signal, precision, tile });
  const keys = model.params.concat_keys as string[];
  return Tensor.cat(
    keys.map((key) => (key === model.params.masked_image_key ? latent : smallMask(model, mask))),
    1,
  );
}
