/** A first stage's features as a conditioning (FirstStagePostProcessor of ldm/modules/diffusionmodules/model.py). */
import { registerTarget } from '../table';
import { count, counts, flag, integer, node, options, rate } from '../types';

registerTarget(
  'ldm.modules.diffusionmodules.model.FirstStagePostProcessor',
  options({
    /** Width of each block as a multiple of n_channels; every block halves the size. */
    ch_mult: counts(),
    /** Channels of the first stage's latent. */
    in_channels: integer(2),
    /** The first stage, which is frozen. */
    pretrained_config: node('autoencoder'),
    /** Give the positions as tokens. */
    reshape: flag().default(false),
    /** Null: the width of the first stage's encoder. */
    n_channels: count().nullable().default(null),
    dropout: rate().default(0),
  }),
  { family: 'conditioner' },
);
