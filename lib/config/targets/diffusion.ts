/** Diffusion models (ldm/models/diffusion/ddpm.py, classifier.py). */
import { z } from 'zod';
import { registerTarget } from '../table';
import { count, either, flag, integer, listOf, node, nodeOr, number, oneOf, options, section, text } from '../types';

const ddpmShape = {
  /** The network that predicts the noise. */
  unet_config: node('network'),
  /** Length of the diffusion chain. */
  timesteps: count().default(1000),
  /** How the noise grows over the chain. */
  beta_schedule: oneOf('linear', 'cosine', 'sqrt_linear', 'sqrt', 'squaredcos_cap_v2').default('linear'),
  /** Squared or absolute error of the prediction. */
  loss_type: oneOf('l1', 'l2').default('l2'),
  /** Checkpoint to start from. */
  ckpt_path: text().nullable().default(null),
  /** Prefixes of keys of that checkpoint to leave out. */
  ignore_keys: listOf(text()).default([]),
  /** Read only the U-Net from `ckpt_path`. */
  load_only_unet: flag().default(false),
  /** Logged value that decides which checkpoints are kept. */
  monitor: text().nullable().default('val/loss'),
  /** Keep a moving average of the weights, which sampling uses. */
  use_ema: flag().default(true),
  /** Key of the image in a batch. */
  first_stage_key: text().default('image'),
  /** Size of the samples: a side, or height and width. */
  image_size: either('a side or a list of height and width', count(), listOf(count()).length(2)).default(256),
  /** Channels of the samples: those of the latent. */
  channels: count().default(3),
  /** Steps between two logged images of a chain. */
  log_every_t: count().default(100),
  /** Ancestral sampling keeps its estimate of the clean sample in [-1, 1]. */
  clip_denoised: flag().default(true),
  /** First beta of the linear schedule. */
  linear_start: number().default(1e-4),
  /** Last beta of the linear schedule. */
  linear_end: number().default(2e-2),
  /** Offset of the cosine schedule. */
  cosine_s: number().default(8e-3),
  /** The betas themselves, in place of a schedule. */
  given_betas: listOf(number()).min(1).nullable().default(null),
  /** Weight of the variational bound beside the simple loss. */
  original_elbo_weight: number().default(0),
  /** Posterior variance (1 - v) * beta_tilde + v * beta. */
  v_posterior: number().default(0),
  /** Weight of the simple loss. */
  l_simple_weight: number().default(1),
  /** How the condition reaches the network: as channels, by cross-attention, both, or as a class embedding. */
  conditioning_key: oneOf('concat', 'crossattn', 'hybrid', 'adm', 'hybrid-adm', 'crossattn-adm')
    .nullable()
    .default(null),
  /** What the network predicts: the noise, the clean sample, or the velocity. */
  parameterization: oneOf('eps', 'x0', 'v').default('eps'),
  /** Schedule of the learning rate. */
  scheduler_config: node('scheduler').nullable().default(null),
  /** The reference keeps it and does not use it. */
  use_positional_encodings: flag().default(false),
  /** Learn a weight for each timestep. */
  learn_logvar: flag().default(false),
  /** Start of those weights. */
  logvar_init: number().default(0),
  /** Weights of another shape are cut or repeated to fit. */
  make_it_fit: flag().default(false),
  /** How often an entry of a training batch becomes another, by key: conditions that guidance leads away from. */
  ucg_training: z
    .record(z.string(), options({ p: z.number().min(0).max(1), val: z.union([text(), number()]).nullable() }))
    .nullable()
    .default(null),
  /** Begin the moving averages with the weights that were loaded. */
  reset_ema: flag().default(false),
  /** Begin the warm-up of the averages' decay anew. */
  reset_num_ema_updates: flag().default(false),
};
export const ddpm = options(ddpmShape);
export type DDPMParams = z.input<typeof ddpm>;

const latentShape = {
  ...ddpmShape,
  /** The autoencoder whose latents are diffused. */
  first_stage_config: node('autoencoder'),
  /** What makes the condition: an encoder of texts, classes or layouts, the first stage, or nothing. */
  cond_stage_config: nodeOr(['__is_unconditional__', '__is_first_stage__'], 'conditioner', 'autoencoder'),
  /** Length of the shortened schedule of the conditioning; null is 1: none. */
  num_timesteps_cond: count()
    .nullable()
    .default(null)
    .transform((value) => value ?? 1),
  /** Key of the condition in a batch. */
  cond_stage_key: text().default('image'),
  /** Train the conditioning with the network. */
  cond_stage_trainable: flag().default(false),
  /** Without `conditioning_key`: concat when true, crossattn when false. */
  concat_mode: flag().default(true),
  /** Method of the cond stage to call in place of `encode`. */
  cond_stage_forward: text().nullable().default(null),
  /** Latents are multiplied by it, so that their deviation is about 1 (`ldm stats` measures it). */
  scale_factor: number().default(1),
  /** Set `scale_factor` to 1 / standard deviation of the first batch's latents. */
  scale_by_std: flag().default(false),
  /** Conditions never come from the batch. */
  force_null_conditioning: flag().default(false),
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

/** Models that see more of a picture beside the noisy latent (Stable Diffusion). */
const finetuneShape = {
  ...latentShape,
  /** Weights of the first layer, whose input channels a checkpoint may have fewer of; null: none. */
  finetune_keys: listOf(text())
    .nullable()
    .default(['model.diffusion_model.input_blocks.0.0.weight', 'model_ema.diffusion_modelinput_blocks00weight']),
  /** So many input channels of such a checkpoint are kept; the others begin at 0. */
  keep_finetune_dims: count().default(4),
  /** Channels of c_concat that the reference also decodes for its logged images. */
  c_concat_log_start: integer(0).nullable().default(null),
  /** Where those channels end. */
  c_concat_log_end: integer(0).nullable().default(null),
};

export const latentInpaint = options({
  ...finetuneShape,
  /** Entries of a batch that become input channels, in order. */
  concat_keys: listOf(text()).min(1).default(['mask', 'masked_image']),
  /** Key of the picture without what the mask covers. */
  masked_image_key: text().default('masked_image'),
}).refine(condFits, condTooLong);
export type LatentInpaintDiffusionParams = z.input<typeof latentInpaint>;

export const latentUpscale = options({
  ...latentShape,
  /** What makes the low-resolution condition. */
  low_scale_config: node('low-scale model'),
  /** Key of the low-resolution image in a batch. */
  low_scale_key: text().default('LR'),
  /** The reference has no use for it yet. */
  noise_level_key: z.null('expected null').default(null),
}).refine(condFits, condTooLong);
export type LatentUpscaleDiffusionParams = z.input<typeof latentUpscale>;

const noiseSchedule = options({
  /** How the noise grows over the chain. */
  beta_schedule: ddpmShape.beta_schedule,
  timesteps: count().default(1000),
  /** First beta of the linear schedule. */
  linear_start: number().default(1e-4),
  /** Last beta of the linear schedule. */
  linear_end: number().default(2e-2),
  /** Offset of the cosine schedule. */
  cosine_s: number().default(8e-3),
});
const noiseAugmentation = options({
  /** Schedule of the noise that is added to the condition. */
  noise_schedule_config: section(noiseSchedule),
  /** Highest level of that noise. */
  max_noise_level: count().default(1000),
}).refine((params) => params.max_noise_level <= params.noise_schedule_config.timesteps, {
  error: 'has to be at most the timesteps of noise_schedule_config',
  path: ['max_noise_level'],
});

export const classifier = options({
  /** Log folder of the diffusion model whose latents are classified. */
  diffusion_path: text(),
  /** Number of classes. */
  num_classes: count(),
  /** Checkpoint to start from. */
  ckpt_path: text().nullable().default(null),
  /** With class_label. */
  pool: oneOf('adaptive', 'attention', 'spatial', 'spatial_v2').default('attention'),
  /** class_label or segmentation; null: the diffusion model's cond_stage_key. */
  label_key: text().nullable().default(null),
  /** Null: `checkpoints/last.ckpt` of the log folder, where there is one. */
  diffusion_ckpt_path: text().nullable().default(null),
  /** Schedule of the learning rate. */
  scheduler_config: node('scheduler').nullable().default(null),
  /** Weight decay of AdamW. */
  weight_decay: number().default(1e-2),
  /** Noise levels at which validation looks. */
  log_steps: integer(1).default(10),
  /** Logged value that decides which checkpoints are kept. */
  monitor: text().default('val/loss'),
});
export type ClassifierParams = z.input<typeof classifier>;

registerTarget('ldm.models.diffusion.ddpm.DDPM', ddpm, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.LatentDiffusion', latentDiffusion, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.Layout2ImgDiffusion', layout2Img, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.LatentInpaintDiffusion', latentInpaint, { family: 'diffusion' });
registerTarget('ldm.models.diffusion.ddpm.LatentUpscaleDiffusion', latentUpscale, { family: 'diffusion' });
registerTarget('ldm.modules.diffusionmodules.upscaling.SimpleImageConcat', options({}), { family: 'low-scale model' });
registerTarget('ldm.modules.diffusionmodules.upscaling.ImageConcatWithNoiseAugmentation', noiseAugmentation, {
  family: 'low-scale model',
  ignored: ['to_cuda'],
});
registerTarget('ldm.models.diffusion.classifier.NoisyLatentImageClassifier', classifier, { family: 'classifier' });
