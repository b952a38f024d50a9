/** The loss of AutoencoderKL (reference: ldm.modules.losses.LPIPSWithDiscriminator). */
import { type ResolvedParams, resolveNode } from '../config';
import type { LPIPSWithDiscriminatorParams } from '../config/targets/losses';
import type { CallOptions } from '../job';
import type { Tensor } from '../tensor';
import type { DiagonalGaussianDistribution } from './diagonal-gaussian-distribution';
import { GanLoss, type GanLossArgs } from './gan-loss';
import type { CreateOptions } from './module';
import { registerModel } from './registry';
import type { StepResult } from './trainable-autoencoder';

/** What {@link LPIPSWithDiscriminator.forward} is given besides images and posterior. */
export interface KLGanLossArgs extends GanLossArgs {
  /** Factors of the reconstruction loss that broadcast against [b, c, H, W]; the logged nll is without them. */
  weights?: Tensor;
}

/**
 * Reconstruction (pixels and LPIPS) as a negative log-likelihood, KL divergence, and an adversarial part whose weight keeps
 * its gradient at the last layer as large as the reconstruction's.
 */
export class LPIPSWithDiscriminator extends GanLoss {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.losses.LPIPSWithDiscriminator';

  /** @throws LdmError ERR_CONFIG */
  static async create(
    params: LPIPSWithDiscriminatorParams,
    options: CreateOptions = {},
  ): Promise<LPIPSWithDiscriminator> {
    const { target } = LPIPSWithDiscriminator;
    return LPIPSWithDiscriminator.fromParams(resolveNode({ target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<LPIPSWithDiscriminator> {
    return GanLoss.make(LPIPSWithDiscriminator, params, options);
  }

  /**
   * @param inputs images [b, c, H, W]; @param reconstructions the same shape
   * @returns the loss of the turn; logged in turn 0 `total_loss`, `logvar`, `kl_loss`, `nll_loss`, `rec_loss`, `d_weight`,
   *   `disc_factor`, `g_loss`, in turn 1 `disc_loss`, `logits_real`, `logits_fake`, each as `<split>/<name>`
   * @throws LdmError ERR_MISSING_WEIGHTS without VGG16; ERR_INVALID_ARGUMENT when `cond` does not fit `disc_conditional`,
   *   or in training mode without gradients
   */
  forward(
    inputs: Tensor,
    reconstructions: Tensor,
    posterior: DiagonalGaussianDistribution,
    args: KLGanLossArgs,
    options?: CallOptions,
  ): Promise<StepResult> {
    return this.turn({ inputs, reconstructions, posterior }, args, options);
  }
}

registerModel(LPIPSWithDiscriminator.target, LPIPSWithDiscriminator);
