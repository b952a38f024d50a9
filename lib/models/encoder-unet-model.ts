/** A classifier of noisy images (reference: ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel). */
import { type ResolvedParams, resolveNode } from '../config';
import type { EncoderUNetModelParams } from '../config/targets/unets';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** The contracting half of the U-Net with a classification head. */
export class EncoderUNetModel extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG for options that are unknown or do not fit together
   */
  static async create(params: EncoderUNetModelParams, options: CreateOptions = {}): Promise<EncoderUNetModel> {
    return EncoderUNetModel.fromParams(resolveNode({ target: EncoderUNetModel.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<EncoderUNetModel> {
    return new EncoderUNetModel(await createNative(EncoderUNetModel.target, params as NativeValue, options));
  }

  /**
   * @param x noisy images [n, in_channels, h, w]
   * @param timesteps [n]
   * @returns logits [n, out_channels]
   */
  async forward(x: Tensor, timesteps: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x, timesteps }, options)).logits;
  }
}

registerModel(EncoderUNetModel.target, EncoderUNetModel);
