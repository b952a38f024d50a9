/** First stages (ldm/models/autoencoder.py). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, listOf, node, number, options, section, text } from '../types';
import { ddconfig } from './architecture';

const common = {
  /** Shape of encoder and decoder. */
  ddconfig: section(ddconfig),
  /** What training minimizes; torch.nn.Identity for a model that is only used. */
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

const vq = {
  ...common,
  /** Size of the codebook. */
  n_embed: count(),
  /** File of used codebook indices (.npy). */
  remap: text().nullable().default(null),
};
const indexShape = {
  /** Indices come as (batch, height, width) instead of flat. */
  sane_index_shape: flag().default(false),
};
/** A VQ encoder gives the latent itself, not a mean and a variance. */
const givesLatent = (params: { ddconfig: { double_z: boolean } }) => !params.ddconfig.double_z;
const latent = { error: 'has to be false for a VQ model', path: ['ddconfig', 'double_z'] };

const vqOptions = options({
  ...vq,
  ...indexShape,
  /** Smallest and largest side that training batches are resized to at random, in steps of 16. */
  batch_resize_range: listOf(integer(1)).length(2, 'expected a list of two sizes').nullable().default(null),
  /** Learning-rate schedule of both optimizers. */
  scheduler_config: node('scheduler').nullable().default(null),
  /** Factor of the generator's learning rate. */
  lr_g_factor: number().default(1),
  /** Keep a moving average of all trained parameters; validation is done with both. */
  use_ema: flag().default(false),
});
export const vqModel = vqOptions
  .refine(givesLatent, latent)
  .refine(({ batch_resize_range: range }) => range === null || range[0] <= range[1], {
    error: 'has to begin with the smaller size',
    path: ['batch_resize_range'],
  });
export type VQModelParams = z.input<typeof vqModel>;

const tamingVqModel = options({ ...vq, ...indexShape }).refine(givesLatent, latent);
export type TamingVQModelParams = z.input<typeof tamingVqModel>;

const gumbelVq = options({
  ...vq,
  /** Schedule of the softmax's temperature by step. */
  temperature_scheduler_config: node('scheduler'),
  /** Weight of the divergence of the code distribution from the uniform one. */
  kl_weight: number().default(1e-8),
}).refine(givesLatent, latent);
export type GumbelVQParams = z.input<typeof gumbelVq>;

const autoencoder = { family: 'autoencoder' } as const;
registerTarget('ldm.models.autoencoder.AutoencoderKL', autoencoderKL, autoencoder);
registerTarget('ldm.models.autoencoder.VQModel', vqModel, autoencoder);
registerTarget('ldm.models.autoencoder.VQModelInterface', vqModel, autoencoder);
registerTarget('taming.models.vqgan.VQModel', tamingVqModel, autoencoder);
registerTarget('taming.models.vqgan.GumbelVQ', gumbelVq, autoencoder);
registerTarget('taming.models.vqgan.EMAVQ', tamingVqModel, autoencoder);
// It takes any arguments, so that another first stage's params can stay when only the target is exchanged.
const identity = options({
  /** Quantizing gives the triple of a VQ model, too. */
  vq_interface: flag().default(false),
});
registerTarget('ldm.models.autoencoder.IdentityFirstStage', identity, {
  ...autoencoder,
  ignored: Object.keys(vqOptions.shape),
});
