/** The losses of the VQ models (reference: VQLPIPSWithDiscriminator of taming and of ldm). */
import { type ResolvedParams, resolveNode } from '../config';
import type { TamingVQLPIPSWithDiscriminatorParams, VQLPIPSWithDiscriminatorParams } from '../config/targets/losses';
import type { CallOptions } from '../job';
import type { Tensor } from '../tensor';
import { GanLoss, type GanLossArgs } from './gan-loss';
import type { CreateOptions } from './module';
import { registerModel } from './registry';
import type { StepResult } from './trainable-autoencoder';

/** What {@link TamingVQLPIPSWithDiscriminator.forward} is given besides images. */
export interface VQGanLossArgs extends GanLossArgs {
  /** Indices of the chosen codes, any shape: with `n_classes` their perplexity and number are logged. */
  predictedIndices?: Tensor;
}

/**
 * Reconstruction (pixels and LPIPS) as a mean, the quantizer's loss, and an adversarial part whose weight keeps its gradient
 * at the last layer as large as the reconstruction's. The loss of the official vq-f* configs.
 */
export class TamingVQLPIPSWithDiscriminator extends GanLoss {
  /** The class's target string in official configs. */
  static readonly target: string = 'taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator';

  /** @throws LdmError ERR_CONFIG */
  static async create(
    params: TamingVQLPIPSWithDiscriminatorParams,
    options: CreateOptions = {},
  ): Promise<TamingVQLPIPSWithDiscriminator> {
    const { target } = TamingVQLPIPSWithDiscriminator;
    return TamingVQLPIPSWithDiscriminator.fromParams(resolveNode({ target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<TamingVQLPIPSWithDiscriminator> {
    return GanLoss.make(TamingVQLPIPSWithDiscriminator, params, options);
  }

  /**
   * @param codebookLoss of the quantizer, any shape; null: none
   * @param inputs images [b, c, H, W]; @param reconstructions the same shape
   * @returns the loss of the turn; logged in turn 0 `total_loss`, `quant_loss`, `nll_loss`, `rec_loss`, `p_loss`, `d_weight`,
   *   `disc_factor`, `g_loss` and, where known, `perplexity` and `cluster_usage`, in turn 1 `disc_loss`, `logits_real`,
   *   `logits_fake`, each as `<split>/<name>`
   * @throws LdmError ERR_MISSING_WEIGHTS without VGG16; ERR_INVALID_ARGUMENT when `cond` does not fit `disc_conditional`,
   *   in training mode without gradients, or for an index outside of `n_classes`
   */
  forward(
    codebookLoss: Tensor | null,
    inputs: Tensor,
    reconstructions: Tensor,
    args: VQGanLossArgs,
    options?: CallOptions,
  ): Promise<StepResult> {
    return this.turn({ codebookLoss, inputs, reconstructions }, args, options);
  }
}

/** The same with a choice of the pixel loss, and with perplexity and use of the codebook among what is logged. */
export class VQLPIPSWithDiscriminator extends TamingVQLPIPSWithDiscriminator {
  /** The class's target string in official configs. */
  static override readonly target: string = 'ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator';

  /** @throws LdmError ERR_CONFIG */
  static override async create(
    params: VQLPIPSWithDiscriminatorParams,
    options: CreateOptions = {},
  ): Promise<VQLPIPSWithDiscriminator> {
    const { target } = VQLPIPSWithDiscriminator;
    return VQLPIPSWithDiscriminator.fromParams(resolveNode({ target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static override fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VQLPIPSWithDiscriminator> {
    return GanLoss.make(VQLPIPSWithDiscriminator, params, options);
  }
}

registerModel(TamingVQLPIPSWithDiscriminator.target, TamingVQLPIPSWithDiscriminator);
registerModel(VQLPIPSWithDiscriminator.target, VQLPIPSWithDiscriminator);
