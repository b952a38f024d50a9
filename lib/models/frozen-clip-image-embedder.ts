/** Images as CLIP embeddings (reference: ldm.modules.encoders.modules.FrozenClipImageEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { FrozenClipImageEmbedderParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** One CLIP embedding for an image. The weights come with a checkpoint: nothing is downloaded. */
export class FrozenClipImageEmbedder extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.FrozenClipImageEmbedder';

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(
    params: FrozenClipImageEmbedderParams,
    options: CreateOptions = {},
  ): Promise<FrozenClipImageEmbedder> {
    const node = { target: FrozenClipImageEmbedder.target, params };
    return FrozenClipImageEmbedder.fromParams(resolveNode(node).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<FrozenClipImageEmbedder> {
    return new FrozenClipImageEmbedder(
      await createNative(FrozenClipImageEmbedder.target, params as NativeValue, options),
    );
  }

  /**
   * @param image [n, 3, h, w] in [-1, 1], of any size
   * @returns resized (bicubic, corners aligned; blurred before with `antialias`) and with CLIP's mean and deviation
   */
  async preprocess(image: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('preprocess', { x: image }, options)).y;
  }
  /**
   * @param image as for {@link preprocess}, which is included
   * @returns [n, embed_dim]
   * @throws LdmError ERR_INVALID_ARGUMENT for images of another shape
   */
  async encode(image: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { input: image }, options)).c;
  }
}

registerModel(FrozenClipImageEmbedder.target, FrozenClipImageEmbedder);
