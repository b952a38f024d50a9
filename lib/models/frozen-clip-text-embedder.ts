/** Texts as CLIP embeddings (reference: ldm.modules.encoders.modules.FrozenCLIPTextEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { CLIPParams, FrozenCLIPTextEmbedderParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { CLIPTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative } from './module';
import { registerModel } from './registry';
import { TextEmbedder } from './text-embedder';

/** Published models have 77 tokens. */
function tokenizerOf({ version }: ResolvedParams): Tokenizer {
  return new CLIPTokenizer({ maxLength: typeof version === 'string' ? 77 : (version as CLIPParams).context_length });
}

/** One CLIP embedding for a text. The weights come with a checkpoint: nothing is downloaded. Texts that are too long are refused. */
export class FrozenCLIPTextEmbedder extends TextEmbedder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.FrozenCLIPTextEmbedder';
  declare readonly tokenizer: Tokenizer;

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(
    params: FrozenCLIPTextEmbedderParams = {},
    options: CreateOptions = {},
  ): Promise<FrozenCLIPTextEmbedder> {
    const node = { target: FrozenCLIPTextEmbedder.target, params };
    return FrozenCLIPTextEmbedder.fromParams(resolveNode(node).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<FrozenCLIPTextEmbedder> {
    const handle = await createNative(FrozenCLIPTextEmbedder.target, params as NativeValue, options);
    return new FrozenCLIPTextEmbedder(handle, tokenizerOf(params));
  }

  /**
   * @param input texts, or int64 token ids [n, context_length]
   * @returns [n, embed_dim], of length 1 with `normalize`; `encode` repeats it as context tokens, [n, n_repeat, embed_dim]
   * @throws LdmError ERR_INVALID_ARGUMENT for a text that is too long, or tokens of another shape
   */
  async forward(input: Tensor | string | readonly string[], options?: CallOptions): Promise<Tensor> {
    return this.withTokens(input, async (x) => (await this.call('forward', { x }, options)).y);
  }
}

registerModel(FrozenCLIPTextEmbedder.target, FrozenCLIPTextEmbedder);
registerConditionTokenizer(FrozenCLIPTextEmbedder.target, tokenizerOf);
