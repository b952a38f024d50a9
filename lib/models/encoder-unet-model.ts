/** A classifier of noisy images (reference: ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel). */
import type { ResolvedParams } from '../config';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** The contracting half of the U-Net with a classification head. */
export class EncoderUNetModel extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel';

  /** @internal Reached through instantiateFromConfig, which fills in the reference's defaults. */
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
