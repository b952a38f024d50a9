/** Token sequences as conditions (reference: ldm.modules.encoders.modules.TransformerEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { TransformerEmbedderParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** A transformer encoder of 8 heads of 64; padding is not masked. */
export class TransformerEmbedder extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.TransformerEmbedder';

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(params: TransformerEmbedderParams, options: CreateOptions = {}): Promise<TransformerEmbedder> {
    return TransformerEmbedder.fromParams(resolveNode({ target: TransformerEmbedder.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<TransformerEmbedder> {
    return new TransformerEmbedder(await createNative(TransformerEmbedder.target, params as NativeValue, options));
  }

  /**
   * @param tokens int64 [n, tokens] in [0, vocab_size), at most max_seq_len of them
   * @returns [n, tokens, n_embed]
   * @throws LdmError ERR_INVALID_ARGUMENT for tokens of another shape; ERR_TORCH for tokens out of range
   */
  async encode(tokens: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { input: tokens }, options)).c;
  }
}

registerModel(TransformerEmbedder.target, TransformerEmbedder);
