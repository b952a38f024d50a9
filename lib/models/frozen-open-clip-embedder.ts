/** The text condition of Stable Diffusion 2 (reference: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { FrozenOpenCLIPEmbedderParams, OpenCLIPTextConfig } from '../config/targets/stable-diffusion-text';
import type { NativeValue } from '../native';
import { CLIPTokenizer, type Tokenizer } from '../text';
import { registerConditionTokenizer } from './condition-tokenizer';
import { type CreateOptions, createNative } from './module';
import { registerModel } from './registry';
import { TextEmbedder } from './text-embedder';

const tokenizerOf = ({ arch }: ResolvedParams): Tokenizer =>
  new CLIPTokenizer({ maxLength: (arch as OpenCLIPTextConfig).context_length, truncate: true, manner: 'open_clip' });

/**
 * The states of open_clip's text model, [n, context_length, width]; with `layer: penultimate` those before its last layer. The
 * weights come with a checkpoint: nothing is downloaded. Texts that are too long are cut.
 */
export class FrozenOpenCLIPEmbedder extends TextEmbedder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder';
  declare readonly tokenizer: Tokenizer;

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(
    params: FrozenOpenCLIPEmbedderParams = {},
    options: CreateOptions = {},
  ): Promise<FrozenOpenCLIPEmbedder> {
    return FrozenOpenCLIPEmbedder.fromParams(
      resolveNode({ target: FrozenOpenCLIPEmbedder.target, params }).params,
      options,
    );
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<FrozenOpenCLIPEmbedder> {
    const handle = await createNative(FrozenOpenCLIPEmbedder.target, params as NativeValue, options);
    return new FrozenOpenCLIPEmbedder(handle, tokenizerOf(params));
  }
}

registerModel(FrozenOpenCLIPEmbedder.target, FrozenOpenCLIPEmbedder);
registerConditionTokenizer(FrozenOpenCLIPEmbedder.target, tokenizerOf);
