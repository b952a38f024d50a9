/**
 * Key maps of text encoders: LDMBert (diffusers: pipelines/latent_diffusion), transformers' CLIPTextModel, and open_clip's
 * text model, of which Stable Diffusion 2 at diffusers has all but the last layer as a CLIPTextModel.
 */
import { type KeyPair, type LayerRow, layers, pair, prefixed } from './key-map';

/** Keys of BERTEmbedder below the conditioning stage's prefix. A layer there is two: attention, then feed-forward. */
export function ldmBertKeys(depth: number): KeyPair[] {
  const blocks = Array.from({ length: depth }, (_, i) => {
    const to = `model.layers.${i}.`;
    const attention = `attn_layers.layers.${2 * i}.`;
    const feedForward = `attn_layers.layers.${2 * i + 1}.`;
    return [
      ...layers(attention, to, [['0', 'self_attn_layer_norm']]),
      ...['q', 'k', 'v'].map((x) => pair(`${attention}1.to_${x}.weight`, `${to}self_attn.${x}_proj.weight`)),
      ...layers(attention, to, [['1.to_out', 'self_attn.out_proj']]),
      ...layers(feedForward, to, [
        ['0', 'final_layer_norm'],
        ['1.net.0.0', 'fc1'],
        ['1.net.2', 'fc2'],
      ]),
    ];
  });
  return prefixed('transformer.', '', [
    pair('token_emb.weight', 'model.embed_tokens.weight'),
    pair('pos_emb.emb.weight', 'model.embed_positions.weight'),
    ...blocks.flat(),
    ...layers('', '', [
      ['norm', 'model.layer_norm'],
      ['to_logits', 'to_logits'],
    ]),
  ]);
}

/** Layers of a block of CLIPTextModel in its order. */
const CLIP_LAYERS = [
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.q_proj',
  'self_attn.out_proj',
  'layer_norm1',
  'mlp.fc1',
  'mlp.fc2',
  'layer_norm2',
];

/** Keys of FrozenCLIPEmbedder: its `transformer` is a CLIPTextModel. */
export function clipTextKeys(depth: number): KeyPair[] {
  const same = (names: string[]) =>
    layers(
      '',
      '',
      names.map((name): LayerRow => [name, name]),
    );
  const embeddings = ['token_embedding', 'position_embedding'].map((name) => `embeddings.${name}.weight`);
  const blocks = Array.from({ length: depth }, (_, i) => CLIP_LAYERS.map((name) => `encoder.layers.${i}.${name}`));
  return prefixed('transformer.text_model.', 'text_model.', [
    ...embeddings.map((name) => pair(name, name)),
    ...same(blocks.flat()),
    ...same(['final_layer_norm']),
  ]);
}

/** Keys of FrozenOpenCLIPEmbedder that a CLIPTextModel of `depth` layers has. */
export function openClipTextKeys(depth: number): KeyPair[] {
  const blocks = Array.from({ length: depth }, (_, i) => {
    const [from, to] = [`transformer.resblocks.${i}.`, `encoder.layers.${i}.`];
    const parts = (kind: string) => ['q', 'k', 'v'].map((x) => `${to}self_attn.${x}_proj.${kind}`);
    return [
      ...layers(from, to, [['ln_1', 'layer_norm1']]),
      { official: `${from}attn.in_proj_weight`, diffusers: parts('weight'), form: stacked(2) },
      { official: `${from}attn.in_proj_bias`, diffusers: parts('bias'), form: stacked(1) },
      ...layers(from, to, [
        ['attn.out_proj', 'self_attn.out_proj'],
        ['ln_2', 'layer_norm2'],
        ['mlp.c_fc', 'mlp.fc1'],
        ['mlp.c_proj', 'mlp.fc2'],
      ]),
    ];
  });
  return prefixed('model.', 'text_model.', [
    pair('positional_embedding', 'embeddings.position_embedding.weight'),
    ...blocks.flat(),
    pair('token_embedding.weight', 'embeddings.token_embedding.weight'),
    ...layers('', '', [['ln_final', 'final_layer_norm']]),
  ]);
}

function stacked(rank: 1 | 2) {
  return { kind: 'stacked', heads: 1, rank } as const;
}
