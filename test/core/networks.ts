/** Networks for tests of the core: a U-Net whose evaluation takes long enough to be interrupted, and a tiny one. */
import { UNetModel } from '../../lib/models/unet-model';
import { Tensor } from '../../lib/tensor';

const SHAPE = {
  image_size: 32,
  in_channels: 4,
  out_channels: 4,
  num_res_blocks: 2,
  attention_resolutions: [],
  channel_mult: [1, 2],
  num_heads: 2,
};

/** A U-Net with 32 channels, evaluated in milliseconds. */
export const tinyUNet = (options: object = {}) => UNetModel.create({ ...SHAPE, model_channels: 32, ...options });

/** A U-Net with 128 channels; one evaluation of {@link bigInput} takes about half a second on two cores. */
export const bigUNet = () => UNetModel.create({ ...SHAPE, model_channels: 128 });
export const bigInput = () => Tensor.zeros([2, 4, 64, 64]);
export const smallInput = () => Tensor.ones([1, 4, 8, 8]);
export const timesteps = (n: number) => Tensor.full([n], 500, { dtype: 'int64' });
