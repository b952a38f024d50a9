/** Parts of networks that can be made by themselves: for programs that build their own, and for tests of the parts. */
import { z } from 'zod';
import { registerTarget } from '../table';
import { count, counts, flag, integer, listOf, number, oneOf, options, rate } from '../types';

const block = { family: 'building block' } as const;
const optional = () => count().nullable().default(null);

// ldm/modules/attention.py
const attention = 'ldm.modules.attention';
registerTarget(
  `${attention}.LinearAttention`,
  options({ dim: count(), heads: count().default(4), dim_head: count().default(32) }),
  block,
);
registerTarget(`${attention}.SpatialSelfAttention`, options({ in_channels: count() }), block);
registerTarget(
  `${attention}.FeedForward`,
  options({
    dim: count(),
    dim_out: optional(),
    mult: count().default(4),
    glu: flag().default(false),
    dropout: rate().default(0),
  }),
  block,
);
registerTarget(
  `${attention}.CrossAttention`,
  options({
    query_dim: count(),
    /** Null: self-attention. */
    context_dim: optional(),
    heads: count().default(8),
    dim_head: count().default(64),
    dropout: rate().default(0),
  }),
  block,
);
registerTarget(
  `${attention}.BasicTransformerBlock`,
  options({
    dim: count(),
    n_heads: count(),
    d_head: count(),
    dropout: rate().default(0),
    context_dim: optional(),
    gated_ff: flag().default(true),
    checkpoint: flag().default(true),
    /** Both attentions attend to the context. */
    disable_self_attn: flag().default(false),
  }),
  block,
);
registerTarget(
  `${attention}.SpatialTransformer`,
  options({
    in_channels: count(),
    n_heads: count(),
    d_head: count(),
    depth: count().default(1),
    dropout: rate().default(0),
    context_dim: optional(),
    disable_self_attn: flag().default(false),
    /** Linear maps in place of 1x1 convolutions. */
    use_linear: flag().default(false),
    /** Recompute in the backward pass: latent-diffusion does so always. */
    use_checkpoint: flag().default(true),
  }),
  block,
);

// ldm/modules/diffusionmodules/openaimodel.py
const openai = 'ldm.modules.diffusionmodules.openaimodel';
const dims = () => integer(1).max(3).default(2);
const resampling = options({
  channels: count(),
  use_conv: flag(),
  dims: dims(),
  out_channels: optional(),
  padding: integer(0).default(1),
});
registerTarget(`${openai}.Upsample`, resampling, block);
registerTarget(`${openai}.Downsample`, resampling, block);
registerTarget(
  `${openai}.TransposedUpsample`,
  options({ channels: count(), out_channels: optional(), ks: count().default(5) }),
  block,
);
registerTarget(
  `${openai}.ResBlock`,
  options({
    channels: count(),
    emb_channels: count(),
    dropout: rate(),
    out_channels: optional(),
    use_conv: flag().default(false),
    use_scale_shift_norm: flag().default(false),
    dims: dims(),
    use_checkpoint: flag().default(false),
    up: flag().default(false),
    down: flag().default(false),
  }),
  block,
);
registerTarget(
  `${openai}.AttentionBlock`,
  options({
    channels: count(),
    num_heads: count().default(1),
    num_head_channels: integer(-1).default(-1),
    use_checkpoint: flag().default(false),
    use_new_attention_order: flag().default(false),
  }),
  block,
);
registerTarget(
  `${openai}.AttentionPool2d`,
  options({ spacial_dim: count(), embed_dim: count(), num_heads_channels: count(), output_dim: optional() }),
  block,
);

// ldm/modules/diffusionmodules/model.py
const model = 'ldm.modules.diffusionmodules.model';
registerTarget(`${model}.Upsample`, options({ in_channels: count(), with_conv: flag() }), block);
registerTarget(`${model}.Downsample`, options({ in_channels: count(), with_conv: flag() }), block);
registerTarget(
  `${model}.ResnetBlock`,
  options({
    in_channels: count(),
    out_channels: optional(),
    conv_shortcut: flag().default(false),
    dropout: rate(),
    temb_channels: integer(0).default(512),
  }),
  block,
);
registerTarget(`${model}.AttnBlock`, options({ in_channels: count() }), block);
registerTarget(`${model}.LinAttnBlock`, options({ in_channels: count() }), block);
registerTarget(`${model}.SimpleDecoder`, options({ in_channels: count(), out_channels: count() }), block);
registerTarget(
  `${model}.UpsampleDecoder`,
  options({
    in_channels: count(),
    out_channels: count(),
    ch: count(),
    num_res_blocks: integer(0),
    resolution: count(),
    ch_mult: counts().default([2, 2]),
    dropout: rate().default(0),
  }),
  block,
);
registerTarget(
  `${model}.LatentRescaler`,
  options({
    factor: number().positive(),
    in_channels: count(),
    mid_channels: count(),
    out_channels: count(),
    depth: integer(0).default(2),
  }),
  block,
);
const rescaled = {
  ch: count(),
  resolution: count(),
  out_ch: count(),
  num_res_blocks: integer(0),
  attn_resolutions: listOf(integer()),
  dropout: rate().default(0),
  resamp_with_conv: flag().default(true),
  ch_mult: counts().default([1, 2, 4, 8]),
  rescale_factor: number().positive().default(1),
  rescale_module_depth: integer(0).default(1),
};
registerTarget(`${model}.MergedRescaleEncoder`, options({ ...rescaled, in_channels: count() }), block);
registerTarget(`${model}.MergedRescaleDecoder`, options({ ...rescaled, z_channels: count() }), block);
registerTarget(
  `${model}.Upsampler`,
  options({
    in_size: count(),
    /** At least in_size. */
    out_size: count(),
    in_channels: count(),
    out_channels: count(),
    /** Width of each level of the decoder as a multiple of in_channels. */
    ch_mult: count().default(2),
  }),
  block,
);
registerTarget(
  `${model}.Resize`,
  options({
    /** Without effect: only the learned variant, which the reference does not implement, would need it. */
    in_channels: optional(),
    learned: z.literal(false, 'has no implementation in latent-diffusion; leave it false').default(false),
    mode: oneOf('bilinear', 'bicubic', 'linear', 'trilinear').default('bilinear'),
  }),
  block,
);
