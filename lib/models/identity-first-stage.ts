/** No first stage at all: diffusion in pixels (reference: ldm.models.autoencoder.IdentityFirstStage). */
import type { ResolvedParams } from '../config';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** Every method returns its argument. */
export class IdentityFirstStage extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.models.autoencoder.IdentityFirstStage';

  /** @param params.vq_interface whether it stands for a VQ model, whose latents are quantized. Default false. */
  static async create(
    params: { vq_interface?: boolean } = {},
    options: CreateOptions = {},
  ): Promise<IdentityFirstStage> {
    return IdentityFirstStage.fromParams({ vq_interface: params.vq_interface ?? false }, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<IdentityFirstStage> {
    return new IdentityFirstStage(await createNative(IdentityFirstStage.target, params as NativeValue, options));
  }

  async encode(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { x }, options)).z;
  }
  async decode(z: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('decode', { z }, options)).x;
  }
  async quantize(z: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('quantize', { z }, options)).quant;
  }
  async forward(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x }, options)).y;
  }
}

registerModel(IdentityFirstStage.target, IdentityFirstStage);
