/** Texts as conditions (reference: ldm.modules.encoders.modules.BERTEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { BERTEmbedderParams } from '../config/targets/conditioners';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { NativeObject, NativeValue } from '../native';
import { Tensor } from '../tensor';
import { BERTTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

const tokenizerOf = (params: ResolvedParams): Tokenizer | null =>
  params.use_tokenizer ? new BERTTokenizer({ maxLength: params.max_seq_len as number }) : null;

/** A transformer encoder of 8 heads of 64 over the tokens of bert-base-uncased, or over tokens of any other kind. */
export class BERTEmbedder extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.BERTEmbedder';
  /** Null when `use_tokenizer` is false: the condition is then token ids (layouts of boxes). */
  readonly tokenizer: Tokenizer | null;

  /** @internal */
  constructor(handle: NativeObject, params: ResolvedParams) {
    super(handle);
    this.tokenizer = tokenizerOf(params);
  }

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(params: BERTEmbedderParams, options: CreateOptions = {}): Promise<BERTEmbedder> {
    return BERTEmbedder.fromParams(resolveNode({ target: BERTEmbedder.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<BERTEmbedder> {
    return new BERTEmbedder(await createNative(BERTEmbedder.target, params as NativeValue, options), params);
  }

  /**
   * @param input texts, or int64 token ids [n, tokens] in [0, vocab_size), at most max_seq_len of them
   * @returns [n, tokens, n_embed]; of texts all max_seq_len tokens, padding included
   * @throws LdmError ERR_INVALID_ARGUMENT for tokens of another shape, or texts without a tokenizer; ERR_TORCH for tokens
   *   out of range
   */
  async encode(input: Tensor | string | readonly string[], options?: CallOptions): Promise<Tensor> {
    if (input instanceof Tensor) return (await this.call('encode', { input }, options)).c;
    if (!this.tokenizer)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'Expected token ids but received text, and this model has no tokenizer (use_tokenizer is false)',
      );
    using tokens = this.tokenizer.encode(input);
    using moved = tokens.to({ device: this.device });
    return (await this.call('encode', { input: moved }, options)).c;
  }
}

registerModel(BERTEmbedder.target, BERTEmbedder);
registerConditionTokenizer(BERTEmbedder.target, tokenizerOf);
