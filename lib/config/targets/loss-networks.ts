/** Networks within the autoencoders' losses (taming/modules), for those who make them on their own. */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, options } from '../types';

const lpips = options({
  /** Dropout with p = 0.5 on the feature differences, in training mode only. */
  use_dropout: flag().default(true),
});
export type LPIPSParams = z.input<typeof lpips>;

const nLayerDiscriminator = options({
  /** Channels of the image. */
  input_nc: count().default(3),
  /** Filters of the first convolution. */
  ndf: count().default(64),
  n_layers: integer(0).default(3),
  /** ActNorm in place of BatchNorm. */
  use_actnorm: flag().default(false),
});
export type NLayerDiscriminatorParams = z.input<typeof nLayerDiscriminator>;

registerTarget('taming.modules.losses.lpips.LPIPS', lpips, { family: 'building block' });
registerTarget('taming.modules.discriminator.model.NLayerDiscriminator', nLayerDiscriminator, {
  family: 'building block',
});
