/** Resizing by a factor (reference: ldm.modules.diffusionmodules.model.Resize). */
import type { ResolvedParams } from '../config';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Has no weights. */
export class Resize extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.diffusionmodules.model.Resize';

  /** @internal Reached through instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<Resize> {
    return new Resize(await createNative(Resize.target, params as NativeValue, options));
  }

  /**
   * @param x [n, c, h, w], or one spatial dimension for `mode: linear` and three for `trilinear`
   * @param scaleFactor 1 gives x itself
   * @returns x with sizes floor(size * scaleFactor)
   */
  async forward(x: Tensor, scaleFactor = 1, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x, scaleFactor }, options)).y;
  }
}

registerModel(Resize.target, Resize);
