/** Text to image, as scripts/txt2img.py: classifier-free guidance away from the empty text. */

import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import type { Tensor } from '../../tensor';
import type { Conditioning } from '../conditioning';
import { type DrawPlan, decodePictures, drawLatents, type PipelineOptions } from './draw';
import { latentShape, type PictureSize, trainedSize } from './sizes';

/** What guides a picture. */
export interface TextOptions {
  /** One picture each. */
  prompts: readonly string[];
  /** Guidance: uncond + scale * (cond - uncond); 1 is none. Default 5. */
  scale?: number;
  /** What guidance leads away from. Default ''. */
  negativePrompt?: string;
}

export interface TextToImageOptions extends PipelineOptions, TextOptions, Partial<PictureSize> {}

/**
 * Draws pictures of texts with DDIM (50 steps, eta 0) or another sampler.
 * @returns [n, 3, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT for a model that takes no texts, or a size that the networks cannot halve
 */
export async function textToImage(model: LatentDiffusion, options: TextToImageOptions): Promise<Tensor> {
  const { prompts, scale = 5, negativePrompt, height, width, ...run } = options;
  const trained = trainedSize(model);
  const shape = latentShape(model, { height: height ?? trained.height, width: width ?? trained.width });
  const texts = await encodeTexts(model, { prompts, scale, negativePrompt }, run);
  return drawByTexts(model, { shape: [prompts.length, ...shape], texts, scale, conditionOf: (c) => c }, run);
}

/**
 * Draws and decodes pictures of encoded texts with DDIM (50 steps, eta 0) or another sampler.
 * @param plan.shape of the latents
 * @param plan.conditionOf what the network gets with a text: the text itself, or parts beside it
 * @internal
 */
export async function drawByTexts(
  model: LatentDiffusion,
  plan: {
    shape: DrawPlan['shape'];
    texts: Awaited<ReturnType<typeof encodeTexts>>;
    scale: number;
    conditionOf: (text: Tensor) => Conditioning;
  },
  run: PipelineOptions,
): Promise<Tensor> {
  const { shape, texts, scale, conditionOf } = plan;
  const latents = await drawLatents(
    model,
    {
      shape,
      conditioning: conditionOf(texts.conditioning),
      unconditionalConditioning: texts.unconditionalConditioning && conditionOf(texts.unconditionalConditioning),
      scale,
      defaults: { steps: 50, eta: 0 },
    },
    run,
  );
  return decodePictures(model, latents, run);
}

/**
 * The conditions of texts, and of what guidance leads away from (null without guidance).
 * @internal
 */
export async function encodeTexts(
  model: LatentDiffusion,
  { prompts, scale, negativePrompt = '' }: TextOptions & { scale: number },
  { signal, precision }: Pick<PipelineOptions, 'signal' | 'precision'>,
): Promise<{ conditioning: Tensor; unconditionalConditioning: Tensor | null }> {
  if (!model.tokenizer)
    throw new LdmError('ERR_INVALID_ARGUMENT', 'This model takes no texts: its conditioning stage has no tokenizer.');
  if (prompts.length === 0) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected at least one prompt');
  const encode = (texts: readonly string[]) => noGrad(() => model.getLearnedConditioning(texts, { signal, precision }));
  const unconditionalConditioning = scale === 1 ? null : await encode(prompts.map(() => negativePrompt));
  return { conditioning: await encode(prompts), unconditionalConditioning };
}
