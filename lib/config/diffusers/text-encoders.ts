/** Text encoders: BERTEmbedder <-> LDMBert, FrozenCLIPEmbedder and FrozenOpenCLIPEmbedder <-> CLIPTextModel. */
import { z } from 'zod';
import { LdmError } from '../../errors';
import type { bertEmbedder } from '../targets/conditioners';
import type { CLIPTextConfig, frozenCLIPEmbedder, frozenOpenCLIPEmbedder } from '../targets/stable-diffusion-text';
import { type Findings, type Json, positive } from './translation';

type Bert = z.output<typeof bertEmbedder>;

/** Attention of the x-transformers encoder, whatever its width. */
const HEADS = 8;
const HEAD_SIZE = 64;

/** config.json of LDMBertModel. */
export function ldmBertToJson(p: Bert, findings: Findings): Json {
  findings.note(p.embedding_dropout > 0, `embedding_dropout ${p.embedding_dropout}: LDMBertModel has none`);
  return {
    activation_dropout: 0,
    activation_function: 'gelu',
    architectures: ['LDMBertModel'],
    attention_dropout: 0,
    classifier_dropout: 0,
    d_model: p.n_embed,
    dropout: 0.1,
    encoder_attention_heads: HEADS,
    encoder_ffn_dim: 4 * p.n_embed,
    encoder_layerdrop: 0,
    encoder_layers: p.n_layer,
    head_dim: HEAD_SIZE,
    init_std: 0.02,
    max_position_embeddings: p.max_seq_len,
    model_type: 'ldmbert',
    num_hidden_layers: p.n_layer,
    pad_token_id: 0,
    scale_embedding: false,
    use_cache: true,
    vocab_size: p.vocab_size,
  };
}

const ldmBert = z.looseObject({
  d_model: positive().default(1280),
  encoder_layers: positive().default(32),
  encoder_ffn_dim: positive().default(5120),
  encoder_attention_heads: positive().default(HEADS),
  head_dim: positive().default(HEAD_SIZE),
  max_position_embeddings: positive().default(77),
  vocab_size: positive().default(30522),
  activation_function: z.string().default('gelu'),
  scale_embedding: z.boolean().default(false),
});

/** Params of BERTEmbedder. */
export function ldmBertFromJson(json: Json, where: string, findings: Findings): Record<string, unknown> {
  const c = parse(ldmBert, json, where);
  findings.expect(c.encoder_ffn_dim === 4 * c.d_model, `${where}: encoder_ffn_dim is not four times d_model`);
  findings.expect(
    c.encoder_attention_heads === HEADS && c.head_dim === HEAD_SIZE,
    `${where}: ${c.encoder_attention_heads} heads of ${c.head_dim}; the official encoder has ${HEADS} of ${HEAD_SIZE}`,
  );
  findings.expect(c.activation_function === 'gelu', `${where}: activation_function is ${c.activation_function}`);
  findings.expect(!c.scale_embedding, `${where}: scale_embedding is true`);
  return {
    n_embed: c.d_model,
    n_layer: c.encoder_layers,
    ...(c.max_position_embeddings === 77 ? {} : { max_seq_len: c.max_position_embeddings }),
    ...(c.vocab_size === 30522 ? {} : { vocab_size: c.vocab_size }),
  };
}

/** Sizes of a CLIPTextModel; quick_gelu is OpenAI's activation. */
export interface ClipTextSizes {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  max_position_embeddings: number;
  hidden_act: 'quick_gelu' | 'gelu';
  layer_norm_eps: number;
}

/** config.json of CLIPTextModel. */
export function clipTextToJson(sizes: ClipTextSizes, projection: number): Json {
  return {
    architectures: ['CLIPTextModel'],
    attention_dropout: 0,
    bos_token_id: 0,
    dropout: 0,
    eos_token_id: 2,
    ...sizes,
    initializer_factor: 1,
    initializer_range: 0.02,
    model_type: 'clip_text_model',
    pad_token_id: 1,
    projection_dim: projection,
  };
}

const clipText = z.looseObject({
  vocab_size: positive().default(49408),
  hidden_size: positive().default(512),
  intermediate_size: positive().default(2048),
  num_hidden_layers: positive().default(12),
  num_attention_heads: positive().default(8),
  max_position_embeddings: positive().default(77),
  hidden_act: z.string().default('quick_gelu'),
  layer_norm_eps: z.number().default(1e-5),
});

/** Sizes that a config.json of CLIPTextModel names. */
export function clipTextFromJson(json: Json, where: string, findings: Findings): ClipTextSizes {
  const { vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, ...rest } = parse(
    clipText,
    json,
    where,
  );
  const { max_position_embeddings, hidden_act, layer_norm_eps } = rest;
  findings.expect(hidden_act === 'quick_gelu' || hidden_act === 'gelu', `${where}: hidden_act is ${hidden_act}`);
  return {
    vocab_size,
    hidden_size,
    intermediate_size,
    num_hidden_layers,
    num_attention_heads,
    max_position_embeddings,
    hidden_act: hidden_act as 'gelu',
    layer_norm_eps,
  };
}

/** The text model of Stable Diffusion 1 has this name in official configs. */
const PUBLISHED: Record<string, Partial<CLIPTextConfig>> = {
  'openai/clip-vit-large-patch14': { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
  'openai/clip-vit-base-patch32': { hidden_size: 512, intermediate_size: 2048, num_attention_heads: 8 },
};
const DEFAULTS = {
  vocab_size: 49408,
  num_hidden_layers: 12,
  max_position_embeddings: 77,
  hidden_act: 'quick_gelu',
  layer_norm_eps: 1e-5,
};

/** Params of FrozenCLIPEmbedder: a name where one fits. */
export function frozenClipParams(sizes: ClipTextSizes): Record<string, unknown> {
  const name = Object.keys(PUBLISHED).find((key) =>
    Object.entries({ ...DEFAULTS, ...PUBLISHED[key] }).every(([k, v]) => sizes[k as keyof ClipTextSizes] === v),
  );
  const version =
    name === undefined ? { version: { ...sizes } } : name === Object.keys(PUBLISHED)[0] ? {} : { version: name };
  return { ...version, ...(sizes.max_position_embeddings === 77 ? {} : { max_length: sizes.max_position_embeddings }) };
}

/** Sizes of the text model of a FrozenCLIPEmbedder. */
export function frozenClipSizes(p: z.output<typeof frozenCLIPEmbedder>, findings: Findings): ClipTextSizes {
  findings.expect(p.layer === 'last', `cond_stage_config: layer is ${p.layer}`);
  return p.version as ClipTextSizes;
}

/**
 * Sizes of the CLIPTextModel that gives what a FrozenOpenCLIPEmbedder does: without the layers behind the one that is
 * looked at.
 */
export function openClipSizes(p: z.output<typeof frozenOpenCLIPEmbedder>): ClipTextSizes {
  const { vocab_size, width, heads, layers, context_length, quick_gelu } = p.arch;
  return {
    vocab_size,
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: p.layer === 'penultimate' ? layers - 1 : layers,
    num_attention_heads: heads,
    max_position_embeddings: context_length,
    hidden_act: quick_gelu ? 'quick_gelu' : 'gelu',
    layer_norm_eps: 1e-5,
  };
}

function parse<T extends z.ZodType>(schema: T, json: Json, where: string): z.output<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new LdmError('ERR_CONFIG', `${where}: ${path.join('.')}: ${message}`);
}
