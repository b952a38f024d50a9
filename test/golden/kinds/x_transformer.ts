/** x_transformer: the encoder with each of its options, and with masks and logits where the options touch them. */
import { noGrad } from '../../../lib/job';
import { TransformerWrapper } from '../../../lib/models';
import type { KindHandler } from '../runner/case';

interface Options {
  wrapper?: object;
  encoder?: object;
}

/** By the tag of the case's outputs and weights. */
const OPTIONS: Record<string, Options> = {
  plain: {},
  rmsnorm: { encoder: { use_rmsnorm: true } },
  scalenorm: { encoder: { use_scalenorm: true } },
  ff_glu: { encoder: { ff_glu: true } },
  gate_residual: { encoder: { gate_residual: true } },
  residual_attn: { encoder: { residual_attn: true } },
  pia: { encoder: { position_infused_attn: true } },
  postnorm: { encoder: { pre_norm: false } },
  mem: { wrapper: { num_memory_tokens: 3 } },
  emb_dim: { wrapper: { emb_dim: 16 } },
  nopos: { wrapper: { use_pos_emb: false } },
  talking: { encoder: { attn_talking_heads: true } },
  on_attn: { encoder: { attn_on_attn: true } },
  mem_kv: { encoder: { attn_num_mem_kv: 2 } },
  topk: { encoder: { attn_sparse_topk: 3 } },
};

const xTransformer: KindHandler = async (c) => {
  for (const [tag, { wrapper, encoder }] of Object.entries(OPTIONS)) {
    const layers = { dim: 32, depth: 2, heads: 2, attn_dim_head: 16, ...encoder };
    const node = {
      target: TransformerWrapper.target,
      params: {
        num_tokens: 40,
        max_seq_len: 8,
        attn_layers: { target: 'ldm.modules.x_transformer.Encoder', params: layers },
        ...wrapper,
      },
    };
    const tape = c.hasTape(`${tag}.`) ? c.tape(`${tag}.`) : undefined;
    const model = (await c.build(node, { fill: false, tape })) as TransformerWrapper;
    await tape?.finish();
    await c.fillDet(model, `${tag}.`);
    const shapes = [...(await model.stateDict())].map(([name, tensor]) => [name, tensor.shape]);
    c.expectEqual(`keys of ${tag}`, Object.fromEntries(shapes), c.meta.keys![tag]);
    const tokens = c.input('tokens');
    await c.out(`${tag}.emb`, (await noGrad(() => model.embeddings(tokens))).out);
    if (tag !== 'plain' && tag !== 'mem') continue;
    await c.out(`${tag}.logits`, (await noGrad(() => model.forward(tokens))).out);
    await c.out(`${tag}.emb_mask`, (await noGrad(() => model.embeddings(tokens, { mask: c.input('mask_u8') }))).out);
  }
};

export default xTransformer;
