/** Diffusion models (ldm/models/diffusion/ddpm.py, classifier.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, either, flag, integer, listOf, node, nodeOr, number, oneOf, options, text } from '../types';

const ddpmShape = {
  unet_config: node('network'),
  /** Length of the diffusion chain. */
  timesteps: count().default(1000),
  beta_schedule: oneOf('linear', 'cosine', 'sqrt_linear', 'sqrt', 'squaredcos_cap_v2').default('linear'),
  loss_type: oneOf('l1', 'l2').default('l2'),
  ckpt_path: text().nullable().default(null),
  ignore_keys: listOf(text()).default([]),
  /** Read only the U-Net from `ckpt_path`. */
  load_only_unet: flag().default(false),
  monitor: text().nullable().default('val/loss'),
  use_ema: flag().default(true),
  /** Key of the image in a batch. */
  first_stage_key: text().default('image'),
  /** Size of the samples: a side, or height and width. */
  image_size: either('a side or a list of height and width', count(), listOf(count()).length(2)).default(256),
  channels: count().default(3),
  /** Steps between two logged images of a chain. */
  log_every_t: count().default(100),
  clip_denoised: flag().default(true),
  linear_start: number().default(1e-4),
  linear_end: number().default(2e-2),
  cosine_s: number().default(8e-3),
  given_betas: listOf(number()).min(1).nullable().default(null),
  original_elbo_weight: number().default(0),
  /** Posterior variance (1 - v) * beta_tilde + v * beta. */
  v_posterior: number().default(0),
  l_simple_weight: number().default(1),
  conditioning_key: oneOf('concat', 'crossattn', 'hybrid', 'adm', 'hybrid-adm', 'crossattn-adm')
    .nullable()
    .default(null),
  parameterization: oneOf('eps', 'x0', 'v').default('eps'),
  scheduler_config: node('scheduler').nullable().default(null),
  /** The reference keeps it and does not use it. */
  use_positional_encodings: flag().default(false),
  learn_logvar: flag().default(false),
  logvar_init: number().default(0),
};
export const ddpm = options(ddpmShape);
export type DDPMParams = z.input<typeof ddpm>;

const latentShape = {
  ...ddpmShape,
  first_stage_config: node('autoencoder'),
  cond_stage_config: nodeOr(['__is_unconditional__', '__is_first_stage__'], 'conditioner', 'autoencoder'),
  /** Length of the shortened schedule of the conditioning; null is 1: none. */
  num_timesteps_cond: count()
    .nullable()
    .default(null)
    .transform((value) => value ?? 1),
  /** Key of the condition in a batch. */
  cond_stage_key: text().default('image'),
  cond_stage_trainable: flag().default(false),
  /** Without `conditioning_key`: concat when true, crossattn when false. */
  concat_mode: flag().default(true),
  /** Method of the cond stage to call in place of `encode`. */
  cond_stage_forward: text().nullable().default(null),
  scale_factor: number().default(1),
  /** Set `scale_factor` to 1 / standard deviation of the first batch's latents. */
  scale_by_std: flag().default(false),
};

const condFits = (params: { num_timesteps_cond: number; timesteps: number }) =>
  params.num_timesteps_cond <= params.timesteps;
const condTooLong = { error: 'has to be at most timesteps', path: ['num_timesteps_cond'] };

export const latentDiffusion = options(latentShape).refine(condFits, condTooLong);
export type LatentDiffusionParams = z.input<typeof latentDiffusion>;

export const layout2Img = options({ ...latentShape, cond_stage_key: oneOf('coordinates_bbox') }).refine(
  condFits,
  condTooLong,
);

export const classifier = options({
  /** Log folder of the diffusion model whose latents are classified. */
  diffusion_path: text(),
  num_classes: count(),
  ckpt_path: text().nullable().default(null),
  pool: oneOf('adaptive', 'attention', 'spatial', 'spatial_v2').default('attention'),
  label_key: text().nullable().default(null),
  diffusion_ckpt_path: text().nullable().default(null),
  scheduler_config: node('scheduler').nullable().default(null),
  weight_decay: number().default(1e-2),
  log_steps: integer(1).default(10),
  monitor: text().default('val/loss'),
});

registerTarget('ldm.models.diffusion.ddpm.DDPM', ddpm, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.LatentDiffusion', latentDiffusion, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.Layout2ImgDiffusion', layout2Img, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.classifier.NoisyLatentImageClassifier', classifier, { family: 'classifier' });
