/** The U-Net of the DDPM paper (reference: ldm.modules.diffusionmodules.model.Model; Ho et al. 2020). */
import { type ResolvedParams, resolveNode } from '../config';
import type { DDPMUNetParams } from '../config/targets/architecture';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Residual blocks and attention in the style of the autoencoders, with a timestep embedding and skip connections. */
export class DDPMUNet extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.diffusionmodules.model.Model';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG for options that are unknown or do not fit together
   */
  static async create(params: DDPMUNetParams, options: CreateOptions = {}): Promise<DDPMUNet> {
    return DDPMUNet.fromParams(resolveNode({ target: DDPMUNet.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<DDPMUNet> {
    return new DDPMUNet(await createNative(DDPMUNet.target, params as NativeValue, options));
  }

  /**
   * @param x [n, in_channels, h, w], or fewer channels when `context` brings the rest
   * @param timesteps [n]; null without `use_timestep`
   * @param context [n, c, h, w], appended to the channels of x
   * @returns [n, out_ch, h, w]
   */
  async forward(
    x: Tensor,
    timesteps: Tensor | null = null,
    context: Tensor | null = null,
    options?: CallOptions,
  ): Promise<Tensor> {
    return (await this.call('forward', { x, timesteps, context }, options)).out;
  }
}

registerModel(DDPMUNet.target, DDPMUNet);
