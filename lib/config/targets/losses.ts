/** Losses of the autoencoders (ldm/modules/losses, taming/modules/losses). */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, number, oneOf, options, weight } from '../types';

const adversarial = {
  /** Global step at which the discriminator begins to count. */
  disc_start: integer(0),
  /** The reference keeps it and does not use it. */
  pixelloss_weight: number().default(1),
  /** Strided convolutions of the patch discriminator: with 3 a patch has 70 pixels. */
  disc_num_layers: integer(0).default(3),
  /** Channels of what the discriminator sees. */
  disc_in_channels: count().default(3),
  /** 0 switches the discriminator off. */
  disc_factor: number().default(1),
  /** Factor of the adaptive weight of the adversarial term. */
  disc_weight: number().default(1),
  /** 0 switches LPIPS off: then its weights are not needed. */
  perceptual_weight: weight().default(1),
  /** ActNorm in place of BatchNorm. */
  use_actnorm: flag().default(false),
  /** The discriminator sees the condition beside the image. */
  disc_conditional: flag().default(false),
};
const ganLoss = oneOf('hinge', 'vanilla').default('hinge');

export const lpipsWithDiscriminator = options({
  ...adversarial,
  /** Start of the learned logarithm of the variance that the reconstruction term is divided by. */
  logvar_init: number().default(0),
  /** Weight of the divergence of the latents from a standard normal distribution; 1e-6 in the official configs. */
  kl_weight: number().default(1),
  /** Loss of the discriminator. */
  disc_loss: ganLoss,
});
export type LPIPSWithDiscriminatorParams = z.input<typeof lpipsWithDiscriminator>;

const tamingVqLoss = options({
  ...adversarial,
  /** Factor of the quantizer's loss. */
  codebook_weight: number().default(1),
  /** Width of the discriminator's first convolution. */
  disc_ndf: count().default(64),
  /** Loss of the discriminator. */
  disc_loss: ganLoss,
});
const ldmVqLoss = options({
  ...tamingVqLoss.shape,
  /** Size of the codebook: when given, its perplexity and use are logged. */
  n_classes: count().nullable().default(null),
  /** LPIPS is the only one that the reference has. */
  perceptual_loss: oneOf('lpips').default('lpips'),
  /** Absolute or squared difference of the images. */
  pixel_loss: oneOf('l1', 'l2').default('l1'),
});
export type TamingVQLPIPSWithDiscriminatorParams = z.input<typeof tamingVqLoss>;
export type VQLPIPSWithDiscriminatorParams = z.input<typeof ldmVqLoss>;

const loss = { family: 'loss' } as const;
registerTarget('ldm.modules.losses.LPIPSWithDiscriminator', lpipsWithDiscriminator, loss);
registerTarget('ldm.modules.losses.contperceptual.LPIPSWithDiscriminator', lpipsWithDiscriminator, {
  ...loss,
  aliasOf: 'ldm.modules.losses.LPIPSWithDiscriminator',
});
registerTarget('taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator', tamingVqLoss, loss);
registerTarget('ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator', ldmVqLoss, loss);

const dummy = 'taming.modules.losses.vqperceptual.DummyLoss';
registerTarget(dummy, options({}), loss);
registerTarget('taming.modules.losses.DummyLoss', options({}), { ...loss, aliasOf: dummy });
registerTarget('ldm.modules.losses.contperceptual.DummyLoss', options({}), { ...loss, aliasOf: dummy });
