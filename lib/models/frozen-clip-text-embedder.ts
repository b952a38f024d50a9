/** Texts as CLIP embeddings (reference: ldm.modules.encoders.modules.FrozenCLIPTextEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { CLIPParams, FrozenCLIPTextEmbedderParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeObject, NativeValue } from '../native';
import { Tensor } from '../tensor';
import { CLIPTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Published models have 77 tokens. */
function tokenizerOf({ version }: ResolvedParams): Tokenizer {
  return new CLIPTokenizer({ maxLength: typeof version === 'string' ? 77 : (version as CLIPParams).context_length });
}

/** One CLIP embedding for a text. The weights come with a checkpoint: nothing is downloaded. */
export class FrozenCLIPTextEmbedder extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.FrozenCLIPTextEmbedder';
  /** Refuses texts that are too long, as the reference does. */
  readonly tokenizer: Tokenizer;

  /** @internal */
  constructor(handle: NativeObject, params: ResolvedParams) {
    super(handle);
    this.tokenizer = tokenizerOf(params);
  }

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
    return new FrozenCLIPTextEmbedder(handle, params);
  }

  /**
   * @param input texts, or int64 token ids [n, context_length]
   * @returns [n, embed_dim], of length 1 with `normalize`
   * @throws LdmError ERR_INVALID_ARGUMENT for a text that is too long, or tokens of another shape
   */
  async forward(input: Tensor | string | readonly string[], options?: CallOptions): Promise<Tensor> {
    return this.#withTokens(input, async (x) => (await this.call('forward', { x }, options)).y);
  }
  /** As {@link forward}, repeated as context tokens: [n, n_repeat, embed_dim]. */
  async encode(input: Tensor | string | readonly string[], options?: CallOptions): Promise<Tensor> {
    return this.#withTokens(input, async (x) => (await this.call('encode', { input: x }, options)).c);
  }

  async #withTokens(
    input: Tensor | string | readonly string[],
    run: (tokens: Tensor) => Promise<Tensor>,
  ): Promise<Tensor> {
    if (input instanceof Tensor) return run(input);
    using tokens = this.tokenizer.encode(input);
    using moved = tokens.to({ device: this.device });
    return await run(moved);
  }
}

registerModel(FrozenCLIPTextEmbedder.target, FrozenCLIPTextEmbedder);
registerConditionTokenizer(FrozenCLIPTextEmbedder.target, tokenizerOf);
