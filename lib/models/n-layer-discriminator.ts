/** The patch discriminator (reference: taming.modules.discriminator.model.NLayerDiscriminator; Isola et al. 2016). */
import { type ResolvedParams, resolveNode } from '../config';
import type { NLayerDiscriminatorParams } from '../config/targets/loss-networks';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Tells real patches of an image from reconstructed ones. */
export class NLayerDiscriminator extends Module {
  /** The class's target string. */
  static readonly target = 'taming.modules.discriminator.model.NLayerDiscriminator';

  /** With torch's default initialisation; call {@link weightsInit} for the one that the losses use. */
  static async create(
    params: NLayerDiscriminatorParams = {},
    options: CreateOptions = {},
  ): Promise<NLayerDiscriminator> {
    return NLayerDiscriminator.fromParams(resolveNode({ target: NLayerDiscriminator.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<NLayerDiscriminator> {
    return new NLayerDiscriminator(await createNative(NLayerDiscriminator.target, params as NativeValue, options));
  }

  /** The reference's `apply(weights_init)`: convolutions normal(0, 0.02), BatchNorm weights normal(1, 0.02). */
  async weightsInit(options?: CallOptions): Promise<void> {
    await this.call('weightsInit', {}, options);
  }

  /** @param x images [b, input_nc, H, W]. @returns a map of logits [b, 1, h, w], one for each patch */
  async forward(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x }, options)).y;
  }
}

registerModel(NLayerDiscriminator.target, NLayerDiscriminator);
