/** `split_input_params`: how a latent diffusion model cuts large inputs into patches (the reference's notebook_helpers.py). */
import type { z } from 'zod';
import { checkValue, problemsOf, type ResolvedParams } from './resolve';
import { count, flag, listOf, number, options } from './types';

const side = () => listOf(count()).length(2, 'expected a list of height and width');

const splitInput = options({
  /** Height and width of a patch: of the latents for the network, of its input for the first stage. */
  ks: side().default([128, 128]),
  /** Steps from one patch to the next; patches overlap where it is smaller than `ks`. */
  stride: side().default([64, 64]),
  /** The factor of the first stage. */
  vqf: count().default(4),
  /** The first stage works on patches, too. */
  patch_distributed_vq: flag().default(true),
  /** Patches in the middle of the image weigh more than those at its border. */
  tie_braker: flag().default(false),
  /** Limits of the weight of a position within a patch: its distance to the patch's border, as a part of its sides. */
  clip_max_weight: number().default(0.5),
  clip_min_weight: number().positive().default(0.01),
  /** The same for the patches within the image, with `tie_braker`. */
  clip_max_tie_weight: number().default(0.5),
  clip_min_tie_weight: number().positive().default(0.01),
  /** Layout models: height and width of the image that the boxes refer to; default: that of the latents. */
  original_image_size: side().nullable().default(null),
  /** Layout models: the `no_tokens` of the data set, the reference's `bbox_tokenizer`. */
  bbox_tokens: count().nullable().default(null),
});
/** The reference's names; what is left out takes the values of its notebooks. */
export type SplitInputParams = z.input<typeof splitInput>;

/** @throws LdmError ERR_CONFIG that names each mistake */
export function resolveSplitInput(params: SplitInputParams): ResolvedParams {
  const checked = checkValue(splitInput, params);
  if (checked.value) return checked.value;
  throw problemsOf(params, checked.problems);
}
