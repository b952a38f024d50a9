/** The text condition of Stable Diffusion 1 (reference: ldm.modules.encoders.modules.FrozenCLIPEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { FrozenCLIPEmbedderParams } from '../config/targets/stable-diffusion-text';
import type { NativeValue } from '../native';
import { CLIPTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative } from './module';
import { registerModel } from './registry';
import { TextEmbedder } from './text-embedder';

const tokenizerOf = ({ max_length }: ResolvedParams): Tokenizer =>
  new CLIPTokenizer({ maxLength: max_length as number, truncate: true, manner: 'transformers' });

/**
 * The states of CLIP's text model in the layout of transformers: [n, max_length, hidden_size], or [n, 1, hidden_size] with
 * `layer: pooled`. The weights come with a checkpoint: nothing is downloaded. Texts that are too long are cut.
 */
export class FrozenCLIPEmbedder extends TextEmbedder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.FrozenCLIPEmbedder';
  declare readonly tokenizer: Tokenizer;

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(params: FrozenCLIPEmbedderParams = {}, options: CreateOptions = {}): Promise<FrozenCLIPEmbedder> {
    return FrozenCLIPEmbedder.fromParams(resolveNode({ target: FrozenCLIPEmbedder.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<FrozenCLIPEmbedder> {
    const handle = await createNative(FrozenCLIPEmbedder.target, params as NativeValue, options);
    return new FrozenCLIPEmbedder(handle, tokenizerOf(params));
  }
}

registerModel(FrozenCLIPEmbedder.target, FrozenCLIPEmbedder);
registerConditionTokenizer(FrozenCLIPEmbedder.target, tokenizerOf);
