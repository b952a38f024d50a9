/** Upscaling with Stable Diffusion 2 (reference: ldm.models.diffusion.ddpm.LatentUpscaleDiffusion). */
import type { ResolvedParams } from '../config';
import type { LatentUpscaleDiffusionParams } from '../config/targets/diffusion';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { LatentDiffusion } from './latent-diffusion';
import { type CreateOptions, createNative } from './module';
import { instantiateFromConfig, registerModel } from './registry';

/** A latent diffusion model whose U-Net also sees a small picture with some noise, as {c_concat}, and how much, as {c_adm}. */
export class LatentUpscaleDiffusion extends LatentDiffusion {
  /** The class's target string in official configs. */
  static override readonly target: string = 'ldm.models.diffusion.ddpm.LatentUpscaleDiffusion';

  /** @throws LdmError ERR_CONFIG when an option is unknown or wrong */
  static override async create(
    params: LatentUpscaleDiffusionParams,
    options: CreateOptions = {},
  ): Promise<LatentUpscaleDiffusion> {
    return (await instantiateFromConfig(
      { target: LatentUpscaleDiffusion.target, params },
      options,
    )) as LatentUpscaleDiffusion;
  }

  /** @internal Reached through instantiateFromConfig. */
  static override async fromParams(
    params: ResolvedParams,
    options: CreateOptions = {},
  ): Promise<LatentUpscaleDiffusion> {
    const model = new LatentUpscaleDiffusion(
      await createNative(LatentUpscaleDiffusion.target, params as NativeValue, options),
      params,
    );
    await model.initFromParams();
    return model;
  }

  /**
   * What the U-Net is shown of a small picture.
   * @param x [n, 3, h, w] in [-1, 1], of the latent's size
   * @param level int64 [n], below max_noise_level; default: drawn
   */
  async lowScale(x: Tensor, level: Tensor | null = null, options?: CallOptions): Promise<{ x: Tensor; level: Tensor }> {
    return this.call('lowScale', { x, level }, options);
  }
}

registerModel(LatentUpscaleDiffusion.target, LatentUpscaleDiffusion);
