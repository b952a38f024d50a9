/** First stages (ldm/models/autoencoder.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, listOf, node, number, options, section, text } from '../types';
import { ddconfig } from './architecture';

const common = {
  ddconfig: section(ddconfig),
  lossconfig: node('loss'),
  /** Channels of the latent. */
  embed_dim: count(),
  /** Checkpoint to start from. */
  ckpt_path: text().nullable().default(null),
  /** Prefixes of keys of that checkpoint to leave out. */
  ignore_keys: listOf(text()).default([]),
  /** Key of the image in a batch. */
  image_key: text().default('image'),
  /** Number of labels of segmentation inputs, which get random colours in the logged images. */
  colorize_nlabels: count().nullable().default(null),
  /** Logged value that decides which checkpoints are kept. */
  monitor: text().nullable().default(null),
};

export const autoencoderKL = options(common).refine((params) => params.ddconfig.double_z, {
  error: 'has to be true for AutoencoderKL: its encoder gives mean and variance',
  path: ['ddconfig', 'double_z'],
});
export type AutoencoderKLParams = z.input<typeof autoencoderKL>;

export const vqModel = options({
  ...common,
  /** Size of the codebook. */
  n_embed: count(),
  /** Range of sizes, from and to, that training batches are resized to at random. */
  batch_resize_range: listOf(integer(1)).length(2, 'expected a list of two sizes').nullable().default(null),
  scheduler_config: node('scheduler').nullable().default(null),
  /** Factor of the generator's learning rate. */
  lr_g_factor: number().default(1),
  /** File of used codebook indices (.npy). */
  remap: text().nullable().default(null),
  /** Indices come as (batch, height, width) instead of flat. */
  sane_index_shape: flag().default(false),
  use_ema: flag().default(false),
});
export type VQModelParams = z.input<typeof vqModel>;

registerTarget('ldm.models.autoencoder.AutoencoderKL', autoencoderKL, { family: 'autoencoder' });
registerTarget('ldm.models.autoencoder.VQModel', vqModel, { family: 'autoencoder' });
registerTarget('ldm.models.autoencoder.VQModelInterface', vqModel, { family: 'autoencoder' });
// It takes any arguments, so that another first stage's params can stay when only the target is exchanged.
registerTarget('ldm.models.autoencoder.IdentityFirstStage', options({ vq_interface: flag().default(false) }), {
  family: 'autoencoder',
  ignored: Object.keys(vqModel.shape),
});
