/** A transformer over tokens (reference: ldm.modules.x_transformer.TransformerWrapper). */
import { type ResolvedParams, resolveNode } from '../config';
import type { TransformerWrapperParams } from '../config/targets/x-transformer';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** What a {@link TransformerWrapper} sees besides its tokens. */
export interface TransformerInputs extends CallOptions {
  /** [b, n], nonzero where a token counts. */
  mask?: Tensor;
  /** [b, m, dim] for layers with cross-attention. */
  context?: Tensor;
  /** [b, m], nonzero where the context counts. */
  contextMask?: Tensor;
  /** Hidden states of the segment before this one, as `mems` gives them. */
  mems?: readonly Tensor[];
  /** Also give the last `max_mem_len` hidden states of each self-attention. Default false. */
  returnMems?: boolean;
  /** Also give the weights of each attention. Default false. */
  returnAttn?: boolean;
}

/** What a {@link TransformerWrapper} gives. */
export interface TransformerOutput {
  /** Embeddings [b, n, dim] or logits [b, n, num_tokens]. */
  out: Tensor;
  /** Each [b, at most max_mem_len, dim], without a graph. */
  mems?: Tensor[];
  /** Each [b, heads, n, m]. */
  attn?: Tensor[];
}

/** Embedding of tokens and positions, attention layers, and logits over the tokens. */
export class TransformerWrapper extends Module {
  /** The class's target string. */
  static readonly target = 'ldm.modules.x_transformer.TransformerWrapper';

  /**
   * @param params `attn_layers` is a node with the target ldm.modules.x_transformer.Encoder
   * @throws LdmError ERR_CONFIG for options that are unknown or wrong
   */
  static async create(params: TransformerWrapperParams, options: CreateOptions = {}): Promise<TransformerWrapper> {
    return TransformerWrapper.fromParams(resolveNode({ target: TransformerWrapper.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<TransformerWrapper> {
    return new TransformerWrapper(await createNative(TransformerWrapper.target, params as NativeValue, options));
  }

  /**
   * @param tokens int64 [b, n] in [0, num_tokens), n at most max_seq_len
   * @returns logits [b, n, num_tokens]
   * @throws LdmError ERR_INVALID_ARGUMENT when shapes or inputs do not fit the options
   */
  forward(tokens: Tensor, inputs: TransformerInputs = {}): Promise<TransformerOutput> {
    return this.#run(tokens, false, inputs);
  }
  /** @returns the last layer's output after the norm, [b, n, dim] */
  embeddings(tokens: Tensor, inputs: TransformerInputs = {}): Promise<TransformerOutput> {
    return this.#run(tokens, true, inputs);
  }

  #run(tokens: Tensor, returnEmbeddings: boolean, inputs: TransformerInputs): Promise<TransformerOutput> {
    const { mask = null, context = null, contextMask = null, returnMems = false, returnAttn = false } = inputs;
    const mems = inputs.mems ? [...inputs.mems] : null;
    const args = { tokens, returnEmbeddings, returnMems, returnAttn, mask, context, contextMask, mems };
    return this.call('forward', args, inputs);
  }
}

registerModel(TransformerWrapper.target, TransformerWrapper);
