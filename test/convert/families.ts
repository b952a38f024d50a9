/** Official configs of one tiny model of each family. */
import { ddconfig, IDENTITY } from '../helpers/tiny-autoencoder';

const UNET = 'ldm.modules.diffusionmodules.openaimodel.UNetModel';
const ENCODERS = 'ldm.modules.encoders.modules.';

const kl = {
  target: 'ldm.models.autoencoder.AutoencoderKL',
  params: { embed_dim: 2, ddconfig: ddconfig({ attn_resolutions: [8] }), lossconfig: IDENTITY },
};
const vqParams = {
  embed_dim: 3,
  n_embed: 8,
  ddconfig: ddconfig({ double_z: false, z_channels: 4, attn_type: 'none' }),
  lossconfig: IDENTITY,
};
const vq = { target: 'ldm.models.autoencoder.VQModel', params: vqParams };

const unet = (params: Record<string, unknown>) => ({
  target: UNET,
  params: {
    image_size: 8,
    in_channels: 2,
    out_channels: 2,
    model_channels: 32,
    attention_resolutions: [2],
    num_res_blocks: 1,
    channel_mult: [1, 2],
    num_head_channels: 32,
    ...params,
  },
});
const transformer = { use_spatial_transformer: true, context_dim: 16, transformer_depth: 1, legacy: false };

const latent = (params: Record<string, unknown>) => ({
  target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
  params: {
    timesteps: 20,
    linear_start: 0.0015,
    linear_end: 0.0195,
    image_size: 8,
    channels: 2,
    scale_factor: 0.25,
    use_ema: false,
    first_stage_config: kl,
    unet_config: unet({}),
    cond_stage_config: '__is_unconditional__',
    ...params,
  },
});
const crossattn = { conditioning_key: 'crossattn', unet_config: unet(transformer) };

export const FAMILIES: Record<string, { model: any; pipeline: string | null; foreign: boolean }> = {
  'KL autoencoder': { model: kl, pipeline: null, foreign: true },
  'VQ autoencoder': { model: vq, pipeline: null, foreign: true },
  'unconditional latent diffusion with averages': {
    model: latent({ use_ema: true }),
    pipeline: 'LDMPipeline',
    foreign: true,
  },
  'scale-shift norms, residual resampling': {
    model: latent({ unet_config: unet({ use_scale_shift_norm: true, resblock_updown: true, num_classes: 3 }) }),
    pipeline: 'LDMPipeline',
    foreign: true,
  },
  'super-resolution': {
    model: latent({
      scale_factor: 1,
      channels: 3,
      concat_mode: true,
      cond_stage_key: 'LR_image',
      cond_stage_config: IDENTITY,
      first_stage_config: { target: 'ldm.models.autoencoder.VQModelInterface', params: vqParams },
      unet_config: unet({ in_channels: 6, out_channels: 3 }),
    }),
    pipeline: 'LDMSuperResolutionPipeline',
    foreign: true,
  },
  'class-conditional': {
    model: latent({
      ...crossattn,
      cond_stage_key: 'class_label',
      cond_stage_config: { target: `${ENCODERS}ClassEmbedder`, params: { n_classes: 5, embed_dim: 16 } },
    }),
    pipeline: null,
    foreign: false,
  },
  'text with BERT': {
    model: latent({
      ...crossattn,
      cond_stage_key: 'caption',
      cond_stage_config: {
        target: `${ENCODERS}BERTEmbedder`,
        params: { n_embed: 16, n_layer: 2, vocab_size: 40, max_seq_len: 6 },
      },
    }),
    pipeline: 'LDMTextToImagePipeline',
    foreign: true,
  },
  'Stable Diffusion 1': {
    model: latent({
      ...crossattn,
      unet_config: unet({ ...transformer, num_head_channels: -1, num_heads: 2 }),
      cond_stage_key: 'txt',
      cond_stage_config: {
        target: `${ENCODERS}FrozenCLIPEmbedder`,
        params: {
          version: {
            hidden_size: 16,
            intermediate_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            vocab_size: 40,
          },
        },
      },
    }),
    pipeline: 'StableDiffusionPipeline',
    foreign: true,
  },
};
