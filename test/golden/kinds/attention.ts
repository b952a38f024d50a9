/** attention_modules: the parts of transformers and attention layers one by one, with deterministic weights. */
import { noGrad } from '../../../lib/job';
import type { Tensor } from '../../../lib/tensor';
import type { KindHandler } from '../runner/case';

const ATTENTION = 'ldm.modules.attention';
const OPENAI = 'ldm.modules.diffusionmodules.openaimodel';

interface Part {
  target: string;
  params: object;
  inputs: readonly string[];
}

const cross = (params: object) => ({ query_dim: 32, heads: 4, dim_head: 8, ...params });
const block = (params: object) => ({ dim: 32, n_heads: 2, d_head: 16, ...params });
const feedForward = (params: object) => ({ dim: 32, ...params });

/** By the tag of the case's outputs and weights. */
const PARTS: Record<string, Part> = {
  cross: { target: `${ATTENTION}.CrossAttention`, params: cross({ context_dim: 24 }), inputs: ['tokens', 'context'] },
  cross_mask: {
    target: `${ATTENTION}.CrossAttention`,
    params: cross({ context_dim: 24 }),
    inputs: ['tokens', 'context', 'mask_u8'],
  },
  self: { target: `${ATTENTION}.CrossAttention`, params: cross({ heads: 2, dim_head: 16 }), inputs: ['tokens'] },
  block: {
    target: `${ATTENTION}.BasicTransformerBlock`,
    params: block({ context_dim: 24 }),
    inputs: ['tokens', 'context'],
  },
  block_nocontext: { target: `${ATTENTION}.BasicTransformerBlock`, params: block({}), inputs: ['tokens'] },
  block_ungated: {
    target: `${ATTENTION}.BasicTransformerBlock`,
    params: block({ gated_ff: false }),
    inputs: ['tokens'],
  },
  st: {
    target: `${ATTENTION}.SpatialTransformer`,
    params: { in_channels: 32, n_heads: 2, d_head: 16, depth: 1, dropout: 0, context_dim: 24 },
    inputs: ['img', 'context'],
  },
  ff_glu: { target: `${ATTENTION}.FeedForward`, params: feedForward({ glu: true }), inputs: ['tokens'] },
  ff: { target: `${ATTENTION}.FeedForward`, params: feedForward({ dim_out: 16, mult: 2 }), inputs: ['tokens'] },
  linear: {
    target: `${ATTENTION}.LinearAttention`,
    params: { dim: 32, heads: 2, dim_head: 16 },
    inputs: ['img'],
  },
  spatial_self: { target: `${ATTENTION}.SpatialSelfAttention`, params: { in_channels: 32 }, inputs: ['img'] },
  pool: {
    target: `${OPENAI}.AttentionPool2d`,
    params: { spacial_dim: 4, embed_dim: 32, num_heads_channels: 16, output_dim: 10 },
    inputs: ['img'],
  },
  tup: {
    target: `${OPENAI}.TransposedUpsample`,
    params: { channels: 32, out_channels: 16, ks: 5 },
    inputs: ['img'],
  },
};

/** Names of the native methods' arguments by position. */
const ARGUMENTS = ['x', 'context', 'mask'];

const attention: KindHandler = async (c) => {
  for (const [tag, part] of Object.entries(PARTS)) {
    const module = await c.build({ target: part.target, params: part.params }, { fill: false });
    await c.fillDet(module, `${tag}.`);
    const shapes = [...(await module.stateDict())].map(([name, tensor]) => [name, tensor.shape]);
    c.expectEqual(`keys of ${tag}`, Object.fromEntries(shapes), c.meta.keys![tag]);
    const args = Object.fromEntries(part.inputs.map((name, i) => [ARGUMENTS[i], c.input(name)]));
    const result: { y: Tensor } = await noGrad(() => module.call('forward', args));
    await c.out(`${tag}.y`, result.y);
  }
};

export default attention;
