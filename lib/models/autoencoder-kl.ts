/** The first stage with a Gaussian latent (reference: ldm.models.autoencoder.AutoencoderKL). */
import { type ResolvedParams, resolveNode } from '../config';
import type { AutoencoderKLParams } from '../config/targets/autoencoders';
import { type CallOptions, noGrad } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { DiagonalGaussianDistribution } from './diagonal-gaussian-distribution';
import { loadHeadsOfLoss } from './lpips-weights';
import { type CreateOptions, createNative } from './module';
import { registerModel } from './registry';
import { TrainableAutoencoder } from './trainable-autoencoder';

/**
 * Encodes images in [-1, 1] to a Gaussian over latents, f = 2^(levels - 1) times smaller, and decodes latents.
 *
 * ```ts
 * const model = await AutoencoderKL.create(params);
 * await model.initFromCkpt('models/first_stage_models/kl-f8/model.ckpt');
 * const posterior = await noGrad(() => model.encode(image));
 * const latent = await posterior.mode();
 * const reconstruction = await noGrad(() => model.decode(latent));
 * ```
 */
export class AutoencoderKL extends TrainableAutoencoder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.models.autoencoder.AutoencoderKL';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG; ERR_FILE or ERR_CHECKPOINT when `ckpt_path` cannot be read
   */
  static async create(params: AutoencoderKLParams, options: CreateOptions = {}): Promise<AutoencoderKL> {
    return AutoencoderKL.fromParams(resolveNode({ target: AutoencoderKL.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<AutoencoderKL> {
    const model = new AutoencoderKL(await createNative(AutoencoderKL.target, params as NativeValue, options));
    await loadHeadsOfLoss(model);
    if (params.ckpt_path) await model.initFromCkpt(params.ckpt_path as string, params.ignore_keys as string[]);
    return model;
  }

  /** @param x images [b, in_channels, H, W]; sizes that f does not divide are rounded down at each level */
  async encode(x: Tensor, options?: CallOptions): Promise<DiagonalGaussianDistribution> {
    return new DiagonalGaussianDistribution((await this.call('encode', { x }, options)).posterior);
  }

  /** @param z latents [b, embed_dim, h, w], not scaled. @returns images [b, out_ch, h * f, w * f] */
  async decode(z: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('decode', { z }, options)).x;
  }

  override async reconstruct(x: Tensor, options?: CallOptions): Promise<Tensor> {
    using posterior = await noGrad(() => this.encode(x, options));
    using latent = await posterior.mode();
    return await noGrad(() => this.decode(latent, options));
  }

  /** Encodes, takes a sample of the posterior (default) or its mode, and decodes. */
  async forward(
    x: Tensor,
    options: CallOptions & { samplePosterior?: boolean } = {},
  ): Promise<{ reconstructions: Tensor; posterior: DiagonalGaussianDistribution }> {
    const { samplePosterior = true, ...callOptions } = options;
    const { reconstructions, posterior } = await this.call('forward', { x, samplePosterior }, callOptions);
    return { reconstructions, posterior: new DiagonalGaussianDistribution(posterior) };
  }
}

registerModel(AutoencoderKL.target, AutoencoderKL);
