/** The first stage of whatever model: encoding and decoding for measuring. */
import { LdmError } from '../errors';
import { type CallOptions, noGrad } from '../job';
import { AutoencoderKL } from '../models/autoencoder-kl';
import { ImageAutoencoder } from '../models/image-autoencoder';
import { LatentDiffusion } from '../models/latent-diffusion';
import type { LoadedModel } from '../models/load-model';
import { VQAutoencoder } from '../models/vq-autoencoder';
import { VQModel } from '../models/vq-model';
import { VQModelInterface } from '../models/vq-model-interface';
import type { Tensor } from '../tensor';

/** Classes of first stages that a latent diffusion model may have. */
const FIRST_STAGES = [AutoencoderKL, VQModelInterface, VQModel];

/**
 * The autoencoder itself, or that of a latent diffusion model: a second handle of the same weights.
 * @throws LdmError ERR_INVALID_ARGUMENT when the model has none
 */
export async function firstStageOf({
  model,
  config,
}: Pick<LoadedModel, 'model' | 'config'>): Promise<ImageAutoencoder> {
  if (model instanceof ImageAutoencoder) return model;
  const target = config.get('model.params.first_stage_config.target');
  const FirstStage = FIRST_STAGES.find((known) => known.target === target);
  if (!(model instanceof LatentDiffusion) || !FirstStage)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'This model has no first stage that could be measured: give an AutoencoderKL, a VQModel or a LatentDiffusion model on one of these.',
    );
  return new FirstStage((await model.getSubmodule('first_stage_model')).native);
}

/**
 * The latents that a diffusion model on this first stage would learn, before they are scaled: samples of the posterior of a
 * KL-VAE, as the reference trains on, and what a VQ model quantizes. Records no graph.
 * @param x [b, c, H, W] in [-1, 1]
 */
export async function latentsOf(firstStage: ImageAutoencoder, x: Tensor, options?: CallOptions): Promise<Tensor> {
  if (firstStage instanceof VQAutoencoder) return noGrad(() => firstStage.encodeToPrequant(x, options));
  using posterior = await noGrad(() => (firstStage as AutoencoderKL).encode(x, options));
  return noGrad(() => posterior.sample(options));
}

/** Whether a checkpoint has averaged weights of its first stage. A latent diffusion model's average has no part in it. */
export function hasAveragedFirstStage({ model, hasEma }: Pick<LoadedModel, 'model' | 'hasEma'>): boolean {
  return model instanceof VQAutoencoder && hasEma;
}

/**
 * Runs `fn` with averaged or trained weights.
 * @param ema undefined: averaged weights where the checkpoint has them
 * @throws LdmError ERR_INVALID_ARGUMENT when they are asked for and not there
 */
export async function withFirstStageWeights<T>(
  loaded: Pick<LoadedModel, 'model' | 'hasEma'>,
  ema: boolean | undefined,
  fn: () => Promise<T>,
): Promise<T> {
  const averaged = hasAveragedFirstStage(loaded);
  if (ema && !averaged)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      'There are no averaged weights of a first stage in this checkpoint: leave --ema out.',
    );
  return averaged && ema !== false ? (loaded.model as VQAutoencoder).emaScope(fn) : fn();
}
