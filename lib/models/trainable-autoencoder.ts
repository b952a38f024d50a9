/**
 * A first stage that is trained against a discriminator: what a training loop calls. One batch is two turns, as PyTorch
 * Lightning 1.4 runs two optimizers: the autoencoder's, then, in a forward pass of its own, the discriminator's.
 */
import type { OptimizerState } from '../checkpoint';
import type { CallOptions } from '../job';
import type { Tensor } from '../tensor';
import type { OptimizerOptions } from '../training/optimizer';
import type { Batch, TrainBatchArgs } from './ddpm';
import { ImageAutoencoder, type LoggedImages } from './image-autoencoder';
import { PerceptualWeights } from './perceptual-weights';

/** Scalars by the reference's names, such as `train/rec_loss`. */
export type LoggedScalars = Record<string, number>;

/** A loss that can be differentiated, and 0-dim tensors to log. */
export interface StepResult {
  loss: Tensor;
  log: Record<string, Tensor>;
}

/** What a micro-batch logged, all together and turn by turn (empty without `log`). */
export interface TrainBatchResult {
  log: LoggedScalars;
  turns: { loss: number; log: LoggedScalars }[];
}

/** Options of {@link TrainableAutoencoder.logImages} under the reference's names, as `log_images_kwargs` has them. */
export interface AutoencoderLogImagesOptions extends CallOptions {
  /** Default false. */
  only_inputs?: boolean;
  /** Also `reconstructions_ema`, with the averaged weights of a model that has them. Default false. */
  plot_ema?: boolean;
}

export abstract class TrainableAutoencoder extends ImageAutoencoder {
  readonly #weights = new PerceptualWeights(this, 'perceptualReady', 'loss.perceptual_loss.');

  /**
   * The loss of one optimizer's turn: 0 is the autoencoder's, 1 the discriminator's.
   * @param globalStep optimizer steps done so far; `disc_start` counts in it
   * @throws LdmError ERR_MISSING_WEIGHTS when the loss is perceptual and VGG16 is not in the cache folder;
   *   ERR_INVALID_ARGUMENT when the lossconfig is torch.nn.Identity
   */
  trainingStep(batch: Batch, optimizerIdx: number, globalStep: number, options?: CallOptions): Promise<StepResult> {
    return this.#weights.before(() => this.call('trainingStep', { batch, optimizerIdx, globalStep }, options));
  }

  /** What a validation batch logs (`val/rec_loss`, ...), as 0-dim tensors. Call `eval()` first. */
  async validationStep(batch: Batch, globalStep: number, options?: CallOptions): Promise<Record<string, Tensor>> {
    return (await this.#weights.before(() => this.call('validationStep', { batch, globalStep }, options))).log;
  }

  /**
   * Creates the two optimizers: Adam with betas 0.5 and 0.9 for autoencoder and discriminator.
   * @throws LdmError as {@link trainingStep}: nothing is trained before the perceptual weights are there
   */
  async configureOptimizers(options: OptimizerOptions): Promise<void> {
    await this.#weights.before(() => this.call('configureOptimizers', { ...options }));
  }

  /**
   * Both turns of one micro-batch as one job, with freezing, backward pass and step.
   * @throws LdmError ERR_NAN when a loss is not finite (only with `log`), before its optimizer steps
   */
  trainBatch(args: TrainBatchArgs, options?: CallOptions): Promise<TrainBatchResult> {
    return this.call('trainBatch', { ...args }, options);
  }

  /** {@link validationStep} without gradients, as numbers. */
  validateBatch(
    args: Pick<TrainBatchArgs, 'batch' | 'batchIdx' | 'globalStep'>,
    options?: CallOptions,
  ): Promise<{ log: LoggedScalars }> {
    return this.#weights.before(() => this.call('validateBatch', { ...args }, options));
  }

  /** One learning rate per optimizer. */
  async setLearningRates(rates: readonly number[]): Promise<void> {
    await this.call('setLearningRates', { rates });
  }

  /** torch's state_dict of each optimizer; the tensors are the live ones. */
  async optimizerStates(): Promise<OptimizerState[]> {
    return (await this.call('optimizerStates')).states;
  }

  /**
   * Continues with the states of a checkpoint; call {@link configureOptimizers} first.
   * @throws LdmError ERR_INVALID_ARGUMENT when they belong to another model
   */
  async loadOptimizerStates(states: readonly OptimizerState[]): Promise<void> {
    await this.call('loadOptimizerStates', { states: [...states] });
  }

  /**
   * What the reference does after both turns of a batch: the moving average of models that have one. {@link trainBatch}
   * includes it.
   */
  async onTrainBatchEnd(): Promise<void> {
    await this.call('onTrainBatchEnd');
  }

  /**
   * `inputs` and, unless `only_inputs`, `reconstructions` and what the model has besides; segmentation maps in colours.
   * No gradients.
   */
  logImages(batch: Batch, options: AutoencoderLogImagesOptions = {}): Promise<LoggedImages> {
    const { only_inputs = false, plot_ema = false, ...callOptions } = options;
    return this.call('logImages', { batch, only_inputs, plot_ema }, callOptions);
  }
}
