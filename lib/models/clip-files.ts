/**
 * CLIP's embedders from a file of weights, whatever its layout: OpenAI's own archives (TorchScript), state dicts of them, and
 * the CLIPModel of `transformers`. The sizes of the networks come from the shapes of the weights, as clip.model.build_model
 * has it.
 */
import { readCheckpoint } from '../checkpoint';
import type { CLIPParams } from '../config/targets/conditioners';
import { LdmError } from '../errors';
import type { Tensor } from '../tensor';
import { fromTransformersClip, isTransformersClip } from './clip-transformers-layout';
import { FrozenClipImageEmbedder } from './frozen-clip-image-embedder';
import { FrozenCLIPTextEmbedder } from './frozen-clip-text-embedder';
import type { CreateOptions, Module } from './module';

/** What OpenAI's archives hold beside the weights. */
const NO_WEIGHTS = new Set(['input_resolution', 'context_length', 'vocab_size']);
/** The width of a head, the same in all models. */
const HEAD = 64;

type CreateEmbedder = Pick<CreateOptions, 'device' | 'signal'>;

/**
 * Texts to embeddings of length 1, as retrieval-augmented diffusion takes them.
 * @param options.nRepeat how often an embedding is repeated as context tokens. Default 1.
 * @throws LdmError ERR_FILE, ERR_CHECKPOINT when the file is no CLIP model, ERR_MISSING_KEYS when it lacks weights
 */
export function loadClipTextEmbedder(
  file: string,
  options: CreateEmbedder & { nRepeat?: number } = {},
): Promise<FrozenCLIPTextEmbedder> {
  const { nRepeat = 1, ...create } = options;
  return load(file, (version) =>
    FrozenCLIPTextEmbedder.create({ version, n_repeat: nRepeat }, { ...create, init: 'empty' }),
  );
}

/**
 * Images to embeddings.
 * @param options.antialias smooth before large images are made smaller. Default false, as in the reference.
 * @throws as {@link loadClipTextEmbedder}
 */
export function loadClipImageEmbedder(
  file: string,
  options: CreateEmbedder & { antialias?: boolean } = {},
): Promise<FrozenClipImageEmbedder> {
  const { antialias = false, ...create } = options;
  return load(file, (model) => FrozenClipImageEmbedder.create({ model, antialias }, { ...create, init: 'empty' }));
}

async function load<M extends Module>(file: string, create: (params: CLIPParams) => Promise<M>): Promise<M> {
  using checkpoint = await readCheckpoint(file, { torchScript: true });
  const found = checkpoint.stateDict;
  const weights = isTransformersClip(found) ? fromTransformersClip(found) : withoutPrefix(found);
  const embedder = await create(paramsOf(weights, file));
  try {
    await embedder.loadStateDict(new Map([...weights].map(([name, t]) => [`model.${name}`, t])), { source: file });
    await embedder.eval();
    return embedder;
  } catch (error) {
    embedder.dispose();
    throw error;
  }
}

/** An embedder's own state dict has the model under `model.`. */
function withoutPrefix(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const entries = [...state].map(([name, t]): [string, Tensor] => [name.replace(/^model\./, ''), t]);
  return new Map(entries.filter(([name]) => !NO_WEIGHTS.has(name)));
}

function paramsOf(weights: ReadonlyMap<string, Tensor>, file: string): CLIPParams {
  const shape = (name: string): readonly number[] => {
    const found = weights.get(name)?.shape;
    if (found) return found;
    const why = weights.has('visual.layer1.0.conv1.weight')
      ? 'it is one of the models with a residual network (RN50 and its like), which are not here; take a ViT'
      : `it has no weight '${name}'`;
    throw new LdmError('ERR_CHECKPOINT', `${file}: a CLIP model with a vision transformer is expected, but ${why}.`);
  };
  const layers = (prefix: string) =>
    [...weights.keys()].filter((name) => name.startsWith(prefix) && name.endsWith('.attn.in_proj_weight')).length;
  const [visionWidth, , , patch] = shape('visual.conv1.weight');
  const side = Math.round(Math.sqrt(shape('visual.positional_embedding')[0] - 1));
  const [width] = shape('ln_final.weight');
  return {
    embed_dim: shape('text_projection')[1],
    image_resolution: patch * side,
    vision_layers: layers('visual.'),
    vision_width: visionWidth,
    vision_patch_size: patch,
    context_length: shape('positional_embedding')[0],
    vocab_size: shape('token_embedding.weight')[0],
    transformer_width: width,
    transformer_heads: Math.max(1, Math.floor(width / HEAD)),
    transformer_layers: layers('transformer.'),
  };
}
