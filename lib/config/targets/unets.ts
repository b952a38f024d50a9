/** The U-Nets (ldm/modules/diffusionmodules/openaimodel.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, counts, either, flag, integer, listOf, oneOf, options, rate } from '../types';

const common = {
  /** The reference keeps it and does not use it (except for the attention pool of EncoderUNetModel). */
  image_size: count(),
  /** Channels of the noisy input, with what is concatenated to it. */
  in_channels: count(),
  /** Width of the first level. */
  model_channels: count(),
  /** Channels of the prediction: those of the latent. */
  out_channels: count(),
  /** One number, or one for each level. */
  num_res_blocks: either('an integer of at least 0, or a list of them', integer(0), listOf(integer(0))),
  /** Downsampling factors (not sizes) at which attention stands. */
  attention_resolutions: listOf(integer(1)),
  /** Share of activations that residual blocks leave out while training. */
  dropout: rate().default(0),
  /** Width of each level as a multiple of `model_channels`. */
  channel_mult: counts().default([1, 2, 4, 8]),
  /** Learned convolutions for up- and downsampling. */
  conv_resample: flag().default(true),
  /** 1, 2 or 3 spatial dimensions. */
  dims: integer(1).max(3).default(2),
  /** Recompute activations in the backward pass. */
  use_checkpoint: flag().default(false),
  /** Without effect, as is use_bf16: how a model is cast is said where it is loaded. */
  use_fp16: flag().default(false),
  /** Channels of an attention head; -1: use `num_heads`. */
  num_head_channels: integer(-1).default(-1),
  /** -1: as `num_heads`. */
  num_heads_upsample: integer(-1).default(-1),
  /** FiLM-like use of the time embedding. */
  use_scale_shift_norm: flag().default(false),
  /** Residual blocks do the up- and downsampling. */
  resblock_updown: flag().default(false),
  /** Split queries, keys and values before the heads. */
  use_new_attention_order: flag().default(false),
};
const conditional = {
  /** Number of classes of the embedded label `y`; "continuous": y is a number; "sequential": a vector. */
  num_classes: either(
    'an integer of at least 1, "continuous" or "sequential"',
    count(),
    oneOf('continuous', 'sequential'),
  )
    .nullable()
    .default(null),
  /** Attention blocks that also attend to a context (texts, classes, layouts). */
  use_spatial_transformer: flag().default(false),
  /** Transformer blocks of each spatial transformer. */
  transformer_depth: count().default(1),
  /** Channels of the cross-attention context. */
  context_dim: either('an integer of at least 1', count(), counts()).nullable().default(null),
  /** Size of a codebook: the network then predicts its indices. */
  n_embed: count().nullable().default(null),
  /** With spatial transformers: head size by `num_heads`, whatever `num_head_channels` says. */
  legacy: flag().default(true),
  /** Without effect: how a model is cast is said where it is loaded. */
  use_bf16: flag().default(false),
  /** For each level: its transformer blocks attend to the context only. */
  disable_self_attentions: listOf(flag()).nullable().default(null),
  /** For each level: how many of its residual blocks are followed by attention. */
  num_attention_blocks: listOf(integer(0)).nullable().default(null),
  /** Leave out the attention of the middle block. */
  disable_middle_self_attn: flag().default(false),
  /** Linear maps in place of 1x1 convolutions in spatial transformers. */
  use_linear_in_transformer: flag().default(false),
  /** Length of the vectors with num_classes "sequential". */
  adm_in_channels: count().nullable().default(null),
};

type Widths = { model_channels: number; channel_mult: number[] };
const groupsFit = (params: Widths) =>
  params.model_channels % 32 === 0 && params.channel_mult.every((mult) => (params.model_channels * mult) % 32 === 0);
const groups = {
  error: 'has to be a multiple of 32, as its product with each value of channel_mult (the norms have 32 groups)',
  path: ['model_channels'],
};

export const unetModel = options({
  ...common,
  ...conditional,
  /** Attention heads; -1: as `num_head_channels` says. */
  num_heads: integer(-1).default(-1),
})
  .refine((params) => params.num_heads !== -1 || params.num_head_channels !== -1, {
    error: 'either num_heads or num_head_channels has to be given',
    path: ['num_heads'],
  })
  .refine((params) => params.use_spatial_transformer === (params.context_dim !== null), {
    error: 'use_spatial_transformer and context_dim belong together: give both or neither',
    path: ['use_spatial_transformer'],
  })
  .refine((params) => params.num_classes !== 'sequential' || params.adm_in_channels !== null, {
    error: 'num_classes "sequential" needs adm_in_channels',
    path: ['adm_in_channels'],
  })
  .refine(groupsFit, groups);
export type UNetModelParams = z.input<typeof unetModel>;

export const encoderUNetModel = options({
  ...common,
  /** Attention heads; -1: as `num_head_channels` says. */
  num_heads: integer(1).default(1),
  /** How the classifier makes one vector of the last feature map. */
  pool: oneOf('adaptive', 'attention', 'spatial', 'spatial_v2').default('adaptive'),
}).refine(groupsFit, groups);
export type EncoderUNetModelParams = z.input<typeof encoderUNetModel>;

registerTarget('ldm.modules.diffusionmodules.openaimodel.UNetModel', unetModel, { family: 'network' });
// The classifier is made from a U-Net's params, of which it swallows what it has no use for.
registerTarget('ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel', encoderUNetModel, {
  family: 'network',
  ignored: Object.keys(conditional),
});
