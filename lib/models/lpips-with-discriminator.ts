/** The loss of AutoencoderKL (reference: ldm.modules.losses.LPIPSWithDiscriminator). */
import { type ResolvedParams, resolveNode } from '../config';
import type { LPIPSWithDiscriminatorParams } from '../config/targets/losses';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import type { DiagonalGaussianDistribution } from './diagonal-gaussian-distribution';
import { loadLpipsHeads } from './lpips-weights';
import { type CreateOptions, createNative, Module } from './module';
import { PerceptualWeights } from './perceptual-weights';
import { registerModel } from './registry';
import type { StepResult } from './trainable-autoencoder';

/** What {@link LPIPSWithDiscriminator.forward} is given besides images and posterior. */
export interface GanLossArgs {
  /** 0: the autoencoder's turn, 1: the discriminator's. */
  optimizerIdx: number;
  /** Optimizer steps done so far: before `disc_start` the adversarial parts count nothing. */
  globalStep: number;
  /** The decoder's last weight (AutoencoderKL.getLastLayer), where the two gradients are compared. */
  lastLayer?: Tensor;
  /** [b, k, H, W], if and only if the loss has `disc_conditional`. */
  cond?: Tensor;
  /** Prefix of the logged names. Default 'train'. */
  split?: string;
  /** Factors of the reconstruction loss that broadcast against [b, c, H, W]; the logged nll is without them. */
  weights?: Tensor;
}

/**
 * Reconstruction (pixels and LPIPS) as a negative log-likelihood, KL divergence, and an adversarial part whose weight keeps
 * its gradient at the last layer as large as the reconstruction's.
 */
export class LPIPSWithDiscriminator extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.losses.LPIPSWithDiscriminator';
  readonly #weights = new PerceptualWeights(this, 'perceptualReady', 'perceptual_loss.');

  /** @throws LdmError ERR_CONFIG */
  static async create(
    params: LPIPSWithDiscriminatorParams,
    options: CreateOptions = {},
  ): Promise<LPIPSWithDiscriminator> {
    const { target } = LPIPSWithDiscriminator;
    return LPIPSWithDiscriminator.fromParams(resolveNode({ target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<LPIPSWithDiscriminator> {
    const handle = await createNative(LPIPSWithDiscriminator.target, params as NativeValue, options);
    const loss = new LPIPSWithDiscriminator(handle);
    await loadLpipsHeads(loss, 'perceptual_loss.');
    return loss;
  }

  /**
   * @param inputs images [b, c, H, W]; @param reconstructions the same shape
   * @returns the loss of the turn; logged in turn 0 `total_loss`, `logvar`, `kl_loss`, `nll_loss`, `rec_loss`, `d_weight`,
   *   `disc_factor`, `g_loss`, in turn 1 `disc_loss`, `logits_real`, `logits_fake`, each as `<split>/<name>`
   * @throws LdmError ERR_MISSING_WEIGHTS without VGG16; ERR_INVALID_ARGUMENT when `cond` does not fit `disc_conditional`,
   *   or in training mode without gradients
   */
  async forward(
    inputs: Tensor,
    reconstructions: Tensor,
    posterior: DiagonalGaussianDistribution,
    args: GanLossArgs,
    options?: CallOptions,
  ): Promise<StepResult> {
    const { split = 'train', ...rest } = args;
    const all = { inputs, reconstructions, posterior, split, ...rest };
    return await this.#weights.before(() => this.call('forward', all, options));
  }
}

registerModel(LPIPSWithDiscriminator.target, LPIPSWithDiscriminator);
