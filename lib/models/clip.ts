/** CLIP in OpenAI's layout (reference: clip.model.CLIP; Radford et al. 2021). */
import { type ResolvedParams, resolveNode } from '../config';
import type { CLIPParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Texts and images in one space. The image side is a vision transformer. */
export class CLIP extends Module {
  /** The class's target string. */
  static readonly target = 'clip.model.CLIP';

  /** @throws LdmError ERR_CONFIG for options that are missing, unknown or wrong */
  static async create(params: CLIPParams, options: CreateOptions = {}): Promise<CLIP> {
    return CLIP.fromParams(resolveNode({ target: CLIP.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<CLIP> {
    return new CLIP(await createNative(CLIP.target, params as NativeValue, options));
  }

  /**
   * @param tokens int64 [n, context_length], as a {@link CLIPTokenizer} gives them
   * @returns [n, embed_dim], of any length
   * @throws LdmError ERR_INVALID_ARGUMENT for tokens of another shape
   */
  async encodeText(tokens: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encodeText', { tokens }, options)).y;
  }
  /**
   * @param image [n, 3, image_resolution, image_resolution], with CLIP's mean and deviation; FrozenClipImageEmbedder
   *   takes images of any size in [-1, 1]
   * @returns [n, embed_dim], of any length
   * @throws LdmError ERR_INVALID_ARGUMENT for images of another shape
   */
  async encodeImage(image: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encodeImage', { image }, options)).y;
  }
}

registerModel(CLIP.target, CLIP);
