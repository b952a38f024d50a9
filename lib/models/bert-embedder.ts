/** Texts as conditions (reference: ldm.modules.encoders.modules.BERTEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { BERTEmbedderParams } from '../config/targets/conditioners';
import type { NativeValue } from '../native';
import { BERTTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative } from './module';
import { registerModel } from './registry';
import { TextEmbedder } from './text-embedder';

/** Without `use_tokenizer` the condition is token ids (layouts of boxes). */
const tokenizerOf = (params: ResolvedParams): Tokenizer | null =>
  params.use_tokenizer ? new BERTTokenizer({ maxLength: params.max_seq_len as number }) : null;

/**
 * A transformer encoder of 8 heads of 64 over the tokens of bert-base-uncased, or over tokens of any other kind. Gives
 * [n, tokens, n_embed]: of texts all max_seq_len tokens, padding included; of ids in [0, vocab_size) as many as there are.
 */
export class BERTEmbedder extends TextEmbedder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.BERTEmbedder';

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(params: BERTEmbedderParams, options: CreateOptions = {}): Promise<BERTEmbedder> {
    return BERTEmbedder.fromParams(resolveNode({ target: BERTEmbedder.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<BERTEmbedder> {
    const handle = await createNative(BERTEmbedder.target, params as NativeValue, options);
    return new BERTEmbedder(handle, tokenizerOf(params));
  }
}

registerModel(BERTEmbedder.target, BERTEmbedder);
registerConditionTokenizer(BERTEmbedder.target, tokenizerOf);
