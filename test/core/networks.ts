/** Networks for tests of the core: a U-Net whose evaluation takes long enough to be interrupted, and a tiny one. */
import { UNetModel } from '../../lib/models/unet-model';
import { Tensor } from '../../lib/tensor';

const PARAMS = {
  image_size: 32,
  in_channels: 4,
  out_channels: 4,
  num_res_blocks: 2,
  attention_resolutions: [],
  dropout: 0,
  channel_mult: [1, 2],
  conv_resample: true,
  dims: 2,
  num_classes: null,
  use_checkpoint: false,
  use_fp16: false,
  num_heads: 2,
  num_head_channels: -1,
  num_heads_upsample: -1,
  use_scale_shift_norm: false,
  resblock_updown: false,
  use_new_attention_order: false,
  use_spatial_transformer: false,
  transformer_depth: 1,
  context_dim: null,
  n_embed: null,
  legacy: true,
};

/** A U-Net with 32 channels, evaluated in milliseconds. */
export const tinyUNet = (options: object = {}) =>
  UNetModel.fromParams({ ...PARAMS, model_channels: 32, ...options }, { init: 'random' });

/** A U-Net with 128 channels; one evaluation of {@link bigInput} takes about half a second on two cores. */
export const bigUNet = () => UNetModel.fromParams({ ...PARAMS, model_channels: 128 }, { init: 'random' });
export const bigInput = () => Tensor.zeros([2, 4, 64, 64]);
export const smallInput = () => Tensor.ones([1, 4, 8, 8]);
export const timesteps = (n: number) => Tensor.full([n], 500, { dtype: 'int64' });
