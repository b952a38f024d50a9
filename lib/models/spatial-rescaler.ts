/** Images such as segmentation maps as conditions (reference: ldm.modules.encoders.modules.SpatialRescaler). */
import { type ResolvedParams, resolveNode } from '../config';
import type { SpatialRescalerParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Resizes in stages and maps the channels. */
export class SpatialRescaler extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.SpatialRescaler';

  /** @throws LdmError ERR_CONFIG for options that are unknown or wrong */
  static async create(params: SpatialRescalerParams = {}, options: CreateOptions = {}): Promise<SpatialRescaler> {
    return SpatialRescaler.fromParams(resolveNode({ target: SpatialRescaler.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<SpatialRescaler> {
    return new SpatialRescaler(await createNative(SpatialRescaler.target, params as NativeValue, options));
  }

  /**
   * @param image [n, in_channels, h, w]
   * @returns sizes times `multiplier`, rounded down, once for each stage; `out_channels` channels where they are given
   * @throws LdmError ERR_INVALID_ARGUMENT when the method does not fit the number of dimensions
   */
  async encode(image: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { input: image }, options)).c;
  }
}

registerModel(SpatialRescaler.target, SpatialRescaler);
