/** Codebooks (taming/modules/vqvae/quantize.py) that can be made by themselves; the VQ models make their own. */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, either, flag, integer, number, oneOf, options, rate, text } from '../types';

const reduced = {
  /** File of used codebook indices (.npy). */
  remap: text().nullable().default(null),
  /** What all other indices become: a random one, one more than there are, or this one. */
  unknown_index: either('"random", "extra" or an integer', oneOf('random', 'extra'), integer(0)).default('random'),
};
const codes = {
  /** Number of codes. */
  n_e: count(),
  /** Length of a code. */
  e_dim: count(),
  /** Weight of the codebook term. */
  beta: number(),
};

const vectorQuantizer = options(codes);
export type VectorQuantizerParams = z.input<typeof vectorQuantizer>;

const vectorQuantizer2 = options({
  ...codes,
  ...reduced,
  /** Indices come as (batch, height, width) instead of flat. */
  sane_index_shape: flag().default(false),
  /** beta weighs the codebook term (as published) in place of the commitment term. */
  legacy: flag().default(true),
});
export type VectorQuantizer2Params = z.input<typeof vectorQuantizer2>;

const gumbelQuantize = options({
  /** Channels of the latent that the logits are made from. */
  num_hiddens: count(),
  /** Length of a code. */
  embedding_dim: count(),
  /** Number of codes. */
  n_embed: count(),
  /** One-hot draws in training mode too. */
  straight_through: flag().default(true),
  /** Weight of the divergence from the uniform distribution. */
  kl_weight: number().default(5e-4),
  /** Temperature of the softmax. */
  temp_init: number().positive().default(1),
  /** Accepted for the configs' sake. */
  use_vqinterface: flag().default(true),
  ...reduced,
});
export type GumbelQuantizeParams = z.input<typeof gumbelQuantize>;

const emaVectorQuantizer = options({
  /** Number of codes. */
  n_embed: count(),
  /** Length of a code. */
  embedding_dim: count(),
  /** Weight of the commitment term. */
  beta: number(),
  /** Share of the averages that each update keeps. */
  decay: rate().default(0.99),
  /** Keeps the size of unused codes above zero. */
  eps: number().default(1e-5),
  ...reduced,
});
export type EMAVectorQuantizerParams = z.input<typeof emaVectorQuantizer>;

const quantize = 'taming.modules.vqvae.quantize';
const block = { family: 'building block' } as const;
registerTarget(`${quantize}.VectorQuantizer`, vectorQuantizer, block);
registerTarget(`${quantize}.VectorQuantizer2`, vectorQuantizer2, block);
registerTarget(`${quantize}.GumbelQuantize`, gumbelQuantize, block);
registerTarget(`${quantize}.EMAVectorQuantizer`, emaVectorQuantizer, block);
