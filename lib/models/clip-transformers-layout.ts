/** The weights of CLIPModel of `transformers` under OpenAI's names. */
import { Tensor } from '../tensor';

/** Names of the two transformers, and of the projections behind them. */
const RENAMED: readonly [RegExp, string][] = [
  [/^text_model\.embeddings\.token_embedding\./, 'token_embedding.'],
  [/^text_model\.embeddings\.position_embedding\.weight$/, 'positional_embedding'],
  [/^text_model\.final_layer_norm\./, 'ln_final.'],
  [/^text_model\.encoder\.layers\./, 'transformer.resblocks.'],
  [/^vision_model\.embeddings\.class_embedding$/, 'visual.class_embedding'],
  [/^vision_model\.embeddings\.patch_embedding\./, 'visual.conv1.'],
  [/^vision_model\.embeddings\.position_embedding\.weight$/, 'visual.positional_embedding'],
  [/^vision_model\.pre_layrnorm\./, 'visual.ln_pre.'],
  [/^vision_model\.post_layernorm\./, 'visual.ln_post.'],
  [/^vision_model\.encoder\.layers\./, 'visual.transformer.resblocks.'],
  [/\.layer_norm([12])\./, '.ln_$1.'],
  [/\.mlp\.fc1\./, '.mlp.c_fc.'],
  [/\.mlp\.fc2\./, '.mlp.c_proj.'],
  [/\.self_attn\.out_proj\./, '.attn.out_proj.'],
];
const PROJECTIONS: Record<string, string> = {
  'text_projection.weight': 'text_projection',
  'visual_projection.weight': 'visual.proj',
};
const QUERY = /^(.*)\.self_attn\.q_proj\.(weight|bias)$/;

/** Whether a state dict has that layout. */
export function isTransformersClip(state: ReadonlyMap<string, Tensor>): boolean {
  return state.has('text_model.final_layer_norm.weight') && state.has('visual_projection.weight');
}

/** Renames, joins queries, keys and values, and transposes the projections. */
export function fromTransformersClip(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const [name, tensor] of state) {
    const query = QUERY.exec(name);
    if (query) {
      const part = (letter: string) => state.get(`${query[1]}.self_attn.${letter}_proj.${query[2]}`);
      const [k, v] = [part('k'), part('v')];
      // Where one is missing the joined weight is, and loading says so.
      if (k && v) weights.set(`${renamed(query[1])}.attn.in_proj_${query[2]}`, Tensor.cat([tensor, k, v], 0));
    } else if (name in PROJECTIONS) weights.set(PROJECTIONS[name], tensor.permute(1, 0));
    else if (!/\.self_attn\.[kv]_proj\.|\.position_ids$/.test(name)) weights.set(renamed(name), tensor);
  }
  return weights;
}

function renamed(name: string): string {
  return RENAMED.reduce((result, [pattern, by]) => result.replace(pattern, by), name);
}
