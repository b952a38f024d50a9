/** Diffusion models small enough for tests: 8x8 samples, a U-Net of one level. */
import type { DDPMParams, LatentDiffusionParams } from '../../lib/config/targets/diffusion';
import { DDPM, LatentDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

export function tinyUnet(overrides: Record<string, unknown> = {}) {
  return {
    target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
    params: {
      image_size: 8,
      in_channels: 3,
      out_channels: 3,
      model_channels: 32,
      attention_resolutions: [],
      num_res_blocks: 1,
      channel_mult: [1],
      num_heads: 2,
      ...overrides,
    },
  };
}

/** What zero_module makes zero. */
const ZEROED = /diffusion_model\.out\.2\.|proj_out\.|out_layers\.3\./;

/** With random weights also where the U-Net begins at zero, so that its output depends on its input. */
export async function randomized<M extends DDPM>(model: M): Promise<M> {
  using random = new Generator(7);
  const state = new Map<string, Tensor>();
  for (const [name, parameter] of await model.namedParameters())
    if (ZEROED.test(name)) state.set(name, Tensor.randn(parameter.shape, { random }).mul(0.1));
  await model.loadStateDict(state, { strict: false });
  await model.eval();
  return model;
}

/** A pixel-space model with 6 timesteps. */
export async function tinyDdpm(params: Partial<DDPMParams> = {}): Promise<DDPM> {
  return randomized(
    await DDPM.create(
      {
        unet_config: tinyUnet(),
        timesteps: 6,
        linear_start: 0.05,
        linear_end: 0.4,
        image_size: 8,
        channels: 3,
        log_every_t: 2,
        use_ema: false,
        ...params,
      } as DDPMParams,
      { random: new Generator(3) },
    ),
  );
}

/** A class-conditional model over an identity first stage. */
export async function tinyLatentDiffusion(params: Partial<LatentDiffusionParams> = {}): Promise<LatentDiffusion> {
  return randomized(
    await LatentDiffusion.create(
      {
        unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 16 }),
        first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} },
        cond_stage_config: {
          target: 'ldm.modules.encoders.modules.ClassEmbedder',
          params: { n_classes: 5, embed_dim: 16, key: 'class_label' },
        },
        conditioning_key: 'crossattn',
        cond_stage_key: 'class_label',
        cond_stage_trainable: true,
        timesteps: 6,
        linear_start: 0.05,
        linear_end: 0.4,
        image_size: 8,
        channels: 3,
        log_every_t: 2,
        use_ema: true,
        ...params,
      } as LatentDiffusionParams,
      { random: new Generator(3) },
    ),
  );
}
