/** The text conditions of Stable Diffusion (ldm/modules/encoders/modules.py of CompVis and of Stability AI). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, either, flag, integer, number, oneOf, options, section, text } from '../types';

/** transformers' CLIPTextConfig. */
const clipTextConfig = options({
  vocab_size: count().default(49408),
  hidden_size: count().default(512),
  intermediate_size: count().default(2048),
  num_hidden_layers: integer(0).default(12),
  num_attention_heads: count().default(8),
  max_position_embeddings: count().default(77),
  hidden_act: oneOf('quick_gelu', 'gelu').default('quick_gelu'),
  layer_norm_eps: number().default(1e-5),
});
export type CLIPTextConfig = z.input<typeof clipTextConfig>;
/** What else a config.json of transformers holds: nothing here depends on it. */
const IGNORED = [
  '_name_or_path',
  'architectures',
  'attention_dropout',
  'bos_token_id',
  'dropout',
  'eos_token_id',
  'initializer_factor',
  'initializer_range',
  'model_type',
  'pad_token_id',
  'projection_dim',
  'torch_dtype',
  'transformers_version',
];

/** Sizes of OpenAI's models at transformers: of base and large ones. */
const BASE = {};
const LARGE = { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 };
const PUBLISHED = {
  'openai/clip-vit-base-patch32': BASE,
  'openai/clip-vit-base-patch16': BASE,
  'openai/clip-vit-large-patch14': LARGE,
  'openai/clip-vit-large-patch14-336': LARGE,
} as const;
const names = Object.keys(PUBLISHED) as [keyof typeof PUBLISHED, ...(keyof typeof PUBLISHED)[]];

/** Stable Diffusion 1: the text model of transformers. */
export const frozenCLIPEmbedder = options({
  /** Name of a published model, or the options of any other (transformers' CLIPTextConfig). */
  version: either(
    `${names.join(', ')} or a CLIPTextConfig`,
    oneOf(...names).transform((name) => clipTextConfig.parse(PUBLISHED[name])),
    section(clipTextConfig, IGNORED),
  ).prefault('openai/clip-vit-large-patch14'),
  /** Tokens of a text; longer ones are cut. */
  max_length: integer(2).default(77),
  freeze: flag().default(true),
  /** last: all states after the last norm; pooled: the one at the text's end; hidden: those that layer_idx names. */
  layer: oneOf('last', 'pooled', 'hidden').default('last'),
  /** 0: the embeddings, 1: what the first layer puts out, -1: what the last one does. */
  layer_idx: integer().nullable().default(null),
})
  .refine((params) => params.layer !== 'hidden' || params.layer_idx !== null, {
    error: 'layer "hidden" needs layer_idx',
    path: ['layer_idx'],
  })
  .refine((params) => params.max_length <= params.version.max_position_embeddings, {
    error: "has to be at most the model's max_position_embeddings",
    path: ['max_length'],
  });
export type FrozenCLIPEmbedderParams = z.input<typeof frozenCLIPEmbedder>;

/** The text side of an architecture of open_clip. */
const openClipText = options({
  embed_dim: count(),
  context_length: integer(2).default(77),
  vocab_size: count().default(49408),
  width: count().default(512),
  heads: count().default(8),
  layers: count().default(12),
  quick_gelu: flag().default(false),
});
export type OpenCLIPTextConfig = z.input<typeof openClipText>;
const ARCHITECTURES = {
  'ViT-B-32': { embed_dim: 512 },
  'ViT-B-16': { embed_dim: 512 },
  'ViT-L-14': { embed_dim: 768, width: 768, heads: 12 },
  'ViT-H-14': { embed_dim: 1024, width: 1024, heads: 16, layers: 24 },
  'ViT-g-14': { embed_dim: 1024, width: 1024, heads: 16, layers: 24 },
  'ViT-bigG-14': { embed_dim: 1280, width: 1280, heads: 20, layers: 32 },
} as const;
const archs = Object.keys(ARCHITECTURES) as [keyof typeof ARCHITECTURES, ...(keyof typeof ARCHITECTURES)[]];

/** Stable Diffusion 2: the text model of open_clip. */
export const frozenOpenCLIPEmbedder = options({
  arch: either(
    `${archs.join(', ')} or the sizes of its text model`,
    oneOf(...archs).transform((name) => openClipText.parse(ARCHITECTURES[name])),
    section(openClipText),
  ).prefault('ViT-H-14'),
  /** Which weights the reference downloads; here they come with a checkpoint. */
  version: text().default('laion2b_s32b_b79k'),
  /** The reference keeps it and does not use it: a text has the model's context_length tokens. */
  max_length: count().default(77),
  freeze: flag().default(true),
  /** penultimate: without the last layer. */
  layer: oneOf('last', 'penultimate').default('last'),
});
export type FrozenOpenCLIPEmbedderParams = z.input<typeof frozenOpenCLIPEmbedder>;

// The device of a condition is the model's: the reference's `device` says nothing here.
const conditioner = { family: 'conditioner', ignored: ['device'] } as const;
registerTarget('ldm.modules.encoders.modules.FrozenCLIPEmbedder', frozenCLIPEmbedder, conditioner);
registerTarget('ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder', frozenOpenCLIPEmbedder, conditioner);
