/** Which golden cases this version must pass: the group "first" of the cases' README, and some of the rest. */
const CLAIMED = [
  /^ae_kl_/,
  /^official_kl_/,
  /^dist_gaussian$/,
  /^lpips$/,
  /^discriminator$/,
  /^loss_kl_/,
  /^train_kl_3steps$/,
  /^schedules$/,
  /^diffusion_math$/,
  /^p_losses_/,
  /^ema$/,
  /^lr_schedulers$/,
  /^wrapper_keys$/,
  /^scale_by_std$/,
  /^unet_(?!dims|encoder_pools)/,
  /^official_unet_(churches|cin256)$/,
  /^sampler_(dd[pi]m|plms)/,
  /^train_ldm_3steps$/,
  /^step_(uncond_kl|class)$/,
  /^omegaconf_configs$/,
  /^image_logger$/,
  /^e2e_seeded_(uncond|text2img)$/,
  /^step_(uncond_vq|superres|first_stage_cond|shortened_cond)$/,
  /^resume_ldm$/,
  /^log_images$/,
  /^tokenizer_bert$/,
  /^seeded_init$/,
  /^(x_transformer|cond_stages|clip_text_image)$/,
  /^official_bert_/,
  /^step_(bbox|segmentation)$/,
  /^lsun_preprocess$/,
  /^vq_/,
  /^official_vq_/,
  /^quantizers$/,
  /^loss_vq_/,
  /^(train_vq_3steps|resume_vq|resume_kl)$/,
];

/** Whether a case of this name belongs to what is claimed. */
export function isClaimed(name: string): boolean {
  return CLAIMED.some((pattern) => pattern.test(name));
}
