/** `ddconfig`: the shape of the autoencoders' Encoder and Decoder (ldm/modules/diffusionmodules/model.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, counts, flag, integer, listOf, oneOf, options, rate } from '../types';

/** What both networks read. */
const common = {
  /** Width of the first level. */
  ch: count(),
  /** Channels of the decoder's output. */
  out_ch: count(),
  /** Width of each level as a multiple of `ch`; the image is halved between two levels. */
  ch_mult: counts().default([1, 2, 4, 8]),
  /** Residual blocks of each level (the decoder has one more). */
  num_res_blocks: integer(0),
  /** Resolutions (of an input of `resolution`) at which attention blocks stand. */
  attn_resolutions: listOf(integer()),
  /** Share of activations that residual blocks leave out while training. */
  dropout: rate().default(0),
  /** Strided or interpolating convolutions between levels; pooling and plain interpolation without. */
  resamp_with_conv: flag().default(true),
  /** Channels of the image: 3 for RGB. */
  in_channels: count(),
  /** Side of the training images in pixels; it decides where `attn_resolutions` lie. */
  resolution: count(),
  /** Channels between encoder and decoder, before `embed_dim`. */
  z_channels: count(),
  /** The older spelling of `attn_type: linear`; it wins. */
  use_linear_attn: flag().default(false),
  /** vanilla-xformers is vanilla on another kernel. */
  attn_type: oneOf('vanilla', 'vanilla-xformers', 'linear', 'none')
    .default('vanilla')
    .transform((type) => (type === 'vanilla-xformers' ? 'vanilla' : type)),
};
const encoderOnly = {
  /** The encoder gives mean and logarithm of the variance. */
  double_z: flag().default(true),
};
const decoderOnly = {
  /** The decoder stops before its last normalization. */
  give_pre_end: flag().default(false),
  /** The decoder ends with tanh, so that pictures lie in [-1, 1]. */
  tanh_out: flag().default(false),
};

/** The norms have 32 groups, so every level's width has to be a multiple of 32. */
const groupsFit = (config: { ch: number; ch_mult: number[] }) =>
  config.ch_mult.every((mult) => (config.ch * mult) % 32 === 0);
const groups = {
  error: 'ch times each value of ch_mult has to be a multiple of 32 (the norms have 32 groups)',
  path: ['ch'],
};

/** Both networks are made from the same options; each ignores the other's. */
export const ddconfig = options({ ...common, ...encoderOnly, ...decoderOnly }).refine(groupsFit, groups);
export type DDConfig = z.output<typeof ddconfig>;

registerTarget(
  'ldm.modules.diffusionmodules.model.Encoder',
  options({ ...common, ...encoderOnly }).refine(groupsFit, groups),
  { family: 'building block', ignored: Object.keys(decoderOnly) },
);
registerTarget(
  'ldm.modules.diffusionmodules.model.Decoder',
  options({ ...common, ...decoderOnly }).refine(groupsFit, groups),
  { family: 'building block', ignored: Object.keys(encoderOnly) },
);

const { z_channels: _, ...withoutLatent } = common;
/** The U-Net of the DDPM paper, in the style of the autoencoders. */
const ddpmUNet = options({ ...withoutLatent, use_timestep: flag().default(true) }).refine(groupsFit, groups);
export type DDPMUNetParams = z.input<typeof ddpmUNet>;
registerTarget('ldm.modules.diffusionmodules.model.Model', ddpmUNet, { family: 'network' });
