/** Conditioning stages (ldm/modules/encoders/modules.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, either, flag, integer, number, oneOf, options, rate, text } from '../types';

export const classEmbedder = options({
  embed_dim: count(),
  n_classes: count().default(1000),
  /** Key of the label in a batch. */
  key: text().default('class'),
});
export type ClassEmbedderParams = z.input<typeof classEmbedder>;

const transformer = {
  /** Width. */
  n_embed: count(),
  /** Depth. */
  n_layer: count(),
  max_seq_len: count().default(77),
};
export const transformerEmbedder = options({ ...transformer, vocab_size: count() });
export type TransformerEmbedderParams = z.input<typeof transformerEmbedder>;
export const bertEmbedder = options({
  ...transformer,
  vocab_size: count().default(30522),
  /** Tokenize text; without it the condition is already token ids. */
  use_tokenizer: flag().default(true),
  embedding_dropout: rate().default(0),
});
export type BERTEmbedderParams = z.input<typeof bertEmbedder>;
export const spatialRescaler = options({
  /** 0: only the channels are mapped. */
  n_stages: integer(0).default(1),
  method: oneOf('nearest', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area').default('bilinear'),
  multiplier: number().positive().default(0.5),
  in_channels: count().default(3),
  /** When given, a 1x1 convolution maps the channels. */
  out_channels: count().nullable().default(null),
  bias: flag().default(false),
});
export type SpatialRescalerParams = z.input<typeof spatialRescaler>;
/** OpenAI's CLIP with a vision transformer (clip/model.py). */
export const clip = options({
  embed_dim: count(),
  image_resolution: count(),
  vision_layers: count(),
  vision_width: count(),
  vision_patch_size: count(),
  context_length: count(),
  vocab_size: count(),
  transformer_width: count(),
  transformer_heads: count(),
  transformer_layers: count(),
});
export type CLIPParams = z.input<typeof clip>;
/** The name of a published model, or the sizes of any other. */
const clipVersion = () =>
  either(
    'ViT-B/32, ViT-B/16, ViT-L/14, ViT-L/14@336px or the options of clip.model.CLIP',
    oneOf('ViT-B/32', 'ViT-B/16', 'ViT-L/14', 'ViT-L/14@336px'),
    clip,
  );
export const clipText = options({
  version: clipVersion().default('ViT-L/14'),
  /** The reference keeps it and does not use it: a text has the model's context_length tokens. */
  max_length: count().default(77),
  n_repeat: count().default(1),
  normalize: flag().default(true),
});
export type FrozenCLIPTextEmbedderParams = z.input<typeof clipText>;
export const clipImage = options({
  model: clipVersion(),
  /** The reference can load compiled models; here all are the same. */
  jit: flag().default(false),
  antialias: flag().default(false),
});
export type FrozenClipImageEmbedderParams = z.input<typeof clipImage>;
registerTarget('clip.model.CLIP', clip, { family: 'building block' });
// The device of a condition is the model's: the reference's `device` says nothing here.
const conditioner = { family: 'conditioner', ignored: ['device'] } as const;
registerTarget('ldm.modules.encoders.modules.ClassEmbedder', classEmbedder, { family: 'conditioner' });
registerTarget('ldm.modules.encoders.modules.TransformerEmbedder', transformerEmbedder, conditioner);
registerTarget('ldm.modules.encoders.modules.BERTEmbedder', bertEmbedder, conditioner);
registerTarget('ldm.modules.encoders.modules.SpatialRescaler', spatialRescaler, { family: 'conditioner' });
registerTarget('ldm.modules.encoders.modules.FrozenCLIPTextEmbedder', clipText, conditioner);
registerTarget('ldm.modules.encoders.modules.FrozenClipImageEmbedder', clipImage, conditioner);
