/** What the losses of the first stages have in common: two turns, a perceptual part. */
import type { ResolvedParams } from '../config';
import type { CallOptions } from '../job';
import type { NativeObject, NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { loadLpipsHeads } from './lpips-weights';
import { type CreateOptions, createNative, Module } from './module';
import { PerceptualWeights } from './perceptual-weights';
import type { StepResult } from './trainable-autoencoder';

/** What both turns of a loss are given besides images. */
export interface GanLossArgs {
  /** 0: the autoencoder's turn, 1: the discriminator's. */
  optimizerIdx: number;
  /** Optimizer steps done so far: before `disc_start` the adversarial parts count nothing. */
  globalStep: number;
  /** The decoder's last weight (ImageAutoencoder.getLastLayer), where the two gradients are compared. */
  lastLayer?: Tensor;
  /** [b, k, H, W], if and only if the loss has `disc_conditional`. */
  cond?: Tensor;
  /** Prefix of the logged names. Default 'train'. */
  split?: string;
}

/** A loss with LPIPS and a discriminator. */
export abstract class GanLoss extends Module {
  readonly #weights = new PerceptualWeights(this, 'perceptualReady', 'perceptual_loss.');

  /** Makes a loss of one class with its LPIPS heads. @internal */
  static async make<T extends GanLoss>(
    cls: (new (handle: NativeObject) => T) & { readonly target: string },
    params: ResolvedParams,
    options: CreateOptions,
  ): Promise<T> {
    const loss = new cls(await createNative(cls.target, params as NativeValue, options));
    await loadLpipsHeads(loss, 'perceptual_loss.');
    return loss;
  }

  /** One turn, after VGG16's weights have been loaded where they are needed. */
  protected turn(
    images: Record<string, unknown>,
    args: GanLossArgs,
    options: CallOptions | undefined,
  ): Promise<StepResult> {
    const { split = 'train', ...rest } = args;
    return this.#weights.before(() => this.call('forward', { ...images, split, ...rest }, options));
  }
}
