/** Inpainting with Stable Diffusion (reference: ldm.models.diffusion.ddpm.LatentInpaintDiffusion). */
import type { ResolvedParams } from '../config';
import type { LatentInpaintDiffusionParams } from '../config/targets/diffusion';
import type { NativeValue } from '../native';
import { Tensor } from '../tensor';
import { LatentDiffusion } from './latent-diffusion';
import { type CreateOptions, createNative } from './module';
import { instantiateFromConfig, registerModel } from './registry';

/**
 * A latent diffusion model whose U-Net also sees a mask and the latent of the masked image, as {c_concat}: batches have them
 * under `mask` [n, h, w, 1] (1 where the picture is to be made) and `masked_image` [n, h, w, 3].
 */
export class LatentInpaintDiffusion extends LatentDiffusion {
  /** The class's target string in official configs. */
  static override readonly target: string = 'ldm.models.diffusion.ddpm.LatentInpaintDiffusion';

  /** @throws LdmError ERR_CONFIG when an option is unknown or wrong */
  static override async create(
    params: LatentInpaintDiffusionParams,
    options: CreateOptions = {},
  ): Promise<LatentInpaintDiffusion> {
    return (await instantiateFromConfig(
      { target: LatentInpaintDiffusion.target, params },
      options,
    )) as LatentInpaintDiffusion;
  }

  /** @internal Reached through instantiateFromConfig. */
  static override async fromParams(
    params: ResolvedParams,
    options: CreateOptions = {},
  ): Promise<LatentInpaintDiffusion> {
    const model = new LatentInpaintDiffusion(
      await createNative(LatentInpaintDiffusion.target, params as NativeValue, options),
      params,
    );
    await model.initFromParams();
    return model;
  }

  /** As {@link LatentDiffusion.initFromCkpt}; the first layer of a model without these channels gets zeros for them. */
  protected override adaptWeight(weight: Tensor, shape: readonly number[], key: string): Tensor {
    const keys = this.params.finetune_keys as string[] | null;
    if (!keys?.includes(key)) return super.adaptWeight(weight, shape, key);
    const kept = this.params.keep_finetune_dims as number;
    const [out, channels, ...rest] = shape;
    const zeros = Tensor.zeros([out, channels - kept, ...rest]);
    return Tensor.cat([weight.to({ dtype: 'float32' }).slice(1, 0, kept), zeros], 1);
  }
}

registerModel(LatentInpaintDiffusion.target, LatentInpaintDiffusion);
