import path from 'node:path';
import { writeSafetensors } from '../../lib/checkpoint';
import { FrozenCLIPTextEmbedder, loadClipImageEmbedder, loadClipTextEmbedder } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';

const folder = useTempFolder();

const SIZES = {
  embed_dim: 24,
  image_resolution: 32,
  vision_layers: 1,
  vision_width: 64,
  vision_patch_size: 8,
  context_length: 7,
  vocab_size: 50,
  transformer_width: 128,
  transformer_heads: 2,
  transformer_layers: 2,
};
const tokens = () => Tensor.from(BigInt64Array.of(48n, 3n, 17n, 49n, 0n, 0n, 0n, 48n, 49n, 0n, 0n, 0n, 0n, 0n), [2, 7]);

let weights: Map<string, Tensor>;
let expected: number[];

beforeAll(async () => {
  const embedder = await FrozenCLIPTextEmbedder.create({ version: SIZES }, { random: new Generator(5) });
  weights = new Map([...(await embedder.stateDict())].map(([name, t]) => [name.replace(/^model\./, ''), t]));
  expected = await embeddings(embedder);
});

async function embeddings(embedder: FrozenCLIPTextEmbedder): Promise<number[]> {
  return Array.from((await (await embedder.forward(tokens())).data()) as Float32Array);
}

async function written(state: ReadonlyMap<string, Tensor>): Promise<string> {
  const file = path.join(folder(), 'clip.safetensors');
  await writeSafetensors(file, state);
  return file;
}

const BACK: [RegExp, string][] = [
  [/^visual\.transformer\.resblocks\./, 'vision_model.encoder.layers.'],
  [/^transformer\.resblocks\./, 'text_model.encoder.layers.'],
  [/^visual\.class_embedding$/, 'vision_model.embeddings.class_embedding'],
  [/^visual\.conv1\./, 'vision_model.embeddings.patch_embedding.'],
  [/^visual\.positional_embedding$/, 'vision_model.embeddings.position_embedding.weight'],
  [/^visual\.ln_pre\./, 'vision_model.pre_layrnorm.'],
  [/^visual\.ln_post\./, 'vision_model.post_layernorm.'],
  [/^token_embedding\./, 'text_model.embeddings.token_embedding.'],
  [/^positional_embedding$/, 'text_model.embeddings.position_embedding.weight'],
  [/^ln_final\./, 'text_model.final_layer_norm.'],
  [/\.ln_([12])\./, '.layer_norm$1.'],
  [/\.c_fc\./, '.fc1.'],
  [/\.c_proj\./, '.fc2.'],
  [/\.attn\.out_proj\./, '.self_attn.out_proj.'],
];

/** The weights as CLIPModel of transformers names them. */
function transformersLayout(): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  for (const [name, t] of weights) {
    const other = BACK.reduce((result, [pattern, by]) => result.replace(pattern, by), name);
    const joined = /^(.*)\.attn\.in_proj_(weight|bias)$/.exec(other);
    if (joined) {
      const width = t.shape[0] / 3;
      [...'qkv'].forEach((letter, i) => {
        state.set(`${joined[1]}.self_attn.${letter}_proj.${joined[2]}`, t.slice(0, i * width, (i + 1) * width));
      });
    } else if (name === 'text_projection') state.set('text_projection.weight', t.permute(1, 0));
    else if (name === 'visual.proj') state.set('visual_projection.weight', t.permute(1, 0));
    else state.set(other, t);
  }
  state.set('text_model.embeddings.position_ids', Tensor.from(BigInt64Array.of(0n, 1n), [1, 2]));
  return state;
}

test.each<[string, () => Map<string, Tensor>]>([
  [
    "OpenAI's state dict with its numbers",
    () => new Map([...weights, ['input_resolution', Tensor.from(BigInt64Array.of(32n))]]),
  ],
  ['float16', () => new Map([...weights].map(([name, t]) => [name, t.to({ dtype: 'float16' })]))],
  ["an embedder's state dict", () => new Map([...weights].map(([name, t]) => [`model.${name}`, t]))],
  ['transformers', transformersLayout],
])('%s: the sizes and the embeddings', async (name, state) => {
  using embedder = await loadClipTextEmbedder(await written(state()));
  const found = await embeddings(embedder);
  const largest = found.reduce((a, v, i) => Math.max(a, Math.abs(v - expected[i])), 0);
  expect(found).toHaveLength(2 * 24);
  expect(largest).toBeLessThan(name === 'float16' ? 2e-3 : 1e-7);
});

test('an embedding may be repeated', async () => {
  using embedder = await loadClipTextEmbedder(await written(weights), { nRepeat: 3 });
  expect((await embedder.encode(tokens())).shape).toEqual([2, 3, 24]);
});

test('images of any size become embeddings', async () => {
  using embedder = await loadClipImageEmbedder(await written(weights), { antialias: true });
  const images = Tensor.randn([2, 3, 50, 50], { random: new Generator(1) });
  expect((await embedder.encode(images)).shape).toEqual([2, 24]);
});

test.each<[string, () => Map<string, Tensor>, string]>([
  ['another model', () => new Map([['w', Tensor.from(Float32Array.of(1))]]), "it has no weight 'visual.conv1.weight'"],
  [
    'a residual network',
    () => new Map([['visual.layer1.0.conv1.weight', Tensor.from(Float32Array.of(1))]]),
    'models with a residual network',
  ],
  [
    'weights that are missing',
    () => new Map([...weights].filter(([name]) => name !== 'visual.ln_pre.bias')),
    'missing (1): model.visual.ln_pre.bias',
  ],
])('refused: %s', async (_name, state, message) => {
  await expect(loadClipTextEmbedder(await written(state()))).rejects.toThrow(message);
});
