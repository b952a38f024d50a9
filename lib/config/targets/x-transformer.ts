/** The x-transformers encoder (ldm/modules/x_transformer.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, listOf, node, number, oneOf, options, rate } from '../types';

const target = 'ldm.modules.x_transformer';
const layers = {
  dim: count(),
  depth: count(),
  heads: count().default(8),
  cross_attend: flag().default(false),
  only_cross: flag().default(false),
  use_scalenorm: flag().default(false),
  use_rmsnorm: flag().default(false),
  use_rezero: flag().default(false),
  /** Fixed positions in each layer instead of learned ones at the start. */
  position_infused_attn: flag().default(false),
  /** a: self-attention, c: cross-attention, f: feed-forward; in place of `depth` blocks. */
  custom_layers: listOf(oneOf('a', 'c', 'f'))
    .nullable()
    .default(null),
  sandwich_coef: count().nullable().default(null),
  par_ratio: integer(2).nullable().default(null),
  residual_attn: flag().default(false),
  cross_residual_attn: flag().default(false),
  macaron: flag().default(false),
  pre_norm: flag().default(true),
  gate_residual: flag().default(false),
  attn_dim_head: count().default(64),
  attn_talking_heads: flag().default(false),
  attn_sparse_topk: count().nullable().default(null),
  attn_num_mem_kv: integer(0).default(0),
  attn_dropout: rate().default(0),
  attn_on_attn: flag().default(false),
  ff_mult: number().positive().default(4),
  ff_glu: flag().default(false),
  ff_dropout: rate().default(0),
};
// The reference checks these two against each other and uses neither.
const block = { family: 'building block', ignored: ['rel_pos_num_buckets', 'rel_pos_max_distance'] } as const;
registerTarget(`${target}.Encoder`, options(layers), block);
registerTarget(`${target}.AttentionLayers`, options({ ...layers, causal: flag().default(false) }), block);

export const transformerWrapper = options({
  num_tokens: count(),
  max_seq_len: count(),
  attn_layers: node('building block'),
  /** Width of the embeddings; null: that of the layers. */
  emb_dim: count().nullable().default(null),
  max_mem_len: integer(0).default(0),
  emb_dropout: rate().default(0),
  num_memory_tokens: integer(0).nullable().default(null),
  tie_embedding: flag().default(false),
  use_pos_emb: flag().default(true),
});
export type TransformerWrapperParams = z.input<typeof transformerWrapper>;
registerTarget(`${target}.TransformerWrapper`, transformerWrapper, { family: 'building block' });
