/** The denoising U-Net (reference: ldm.modules.diffusionmodules.openaimodel.UNetModel). */
import { type ResolvedParams, resolveNode } from '../config';
import type { UNetModelParams } from '../config/targets/unets';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** What a {@link UNetModel} is conditioned on. */
export interface UNetConditions {
  /** Tokens [n, tokens, context_dim] for a U-Net with spatial transformers. */
  context?: Tensor;
  /** Class labels, int64 [n], if and only if the U-Net has `num_classes`. */
  y?: Tensor;
}

/** Predicts the noise (or x0, as it was trained) in a noisy latent at given timesteps. */
export class UNetModel extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.diffusionmodules.openaimodel.UNetModel';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG for options that are unknown or do not fit together
   */
  static async create(params: UNetModelParams, options: CreateOptions = {}): Promise<UNetModel> {
    return UNetModel.fromParams(resolveNode({ target: UNetModel.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<UNetModel> {
    return new UNetModel(await createNative(UNetModel.target, params as NativeValue, options));
  }

  /**
   * @param x noisy latents [n, in_channels, h, w] (one or three spatial dimensions with `dims` 1 or 3)
   * @param timesteps [n], from 0 to the number of diffusion steps - 1; fractions are allowed
   * @returns [n, out_channels, h, w], or logits [n, n_embed, h, w] of a U-Net with `n_embed`
   * @throws LdmError ERR_INVALID_ARGUMENT when shapes or conditions do not fit the options
   */
  async forward(x: Tensor, timesteps: Tensor, conditions: UNetConditions = {}, options?: CallOptions): Promise<Tensor> {
    const { context = null, y = null } = conditions;
    return (await this.call('forward', { x, timesteps, context, y }, options)).out;
  }
}

registerModel(UNetModel.target, UNetModel);
