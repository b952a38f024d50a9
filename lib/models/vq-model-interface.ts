/** The VQ first stage as latent diffusion uses it (reference: ldm.models.autoencoder.VQModelInterface). */
import { type ResolvedParams, resolveNode } from '../config';
import type { VQModelParams } from '../config/targets/autoencoders';
import type { CallOptions } from '../job';
import type { Tensor } from '../tensor';
import type { CreateOptions } from './module';
import { registerModel } from './registry';
import { VQAutoencoder } from './vq-autoencoder';
import { makeVqModel } from './vq-model';

/** Encodes to what lies before the codebook; decoding quantizes first. It is trained as VQModel is. */
export class VQModelInterface extends VQAutoencoder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.models.autoencoder.VQModelInterface';

  /** @param params as `params` of an official config. @throws LdmError ERR_CONFIG, ERR_FILE, ERR_CHECKPOINT */
  static async create(params: VQModelParams, options: CreateOptions = {}): Promise<VQModelInterface> {
    return VQModelInterface.fromParams(resolveNode({ target: VQModelInterface.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VQModelInterface> {
    return makeVqModel(VQModelInterface, params, options);
  }

  /** @param x images [b, in_channels, H, W]. @returns latents [b, embed_dim, H / f, W / f] before quantization */
  encode(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return this.encodeToPrequant(x, options);
  }

  /**
   * @param z latents [b, embed_dim, h, w]
   * @param options.forceNotQuantize default false: z is replaced by its nearest codes first
   */
  async decode(z: Tensor, options: CallOptions & { forceNotQuantize?: boolean } = {}): Promise<Tensor> {
    const { forceNotQuantize = false, ...callOptions } = options;
    return (await this.call('decode', { z, forceNotQuantize }, callOptions)).x;
  }

  /** Encodes, quantizes and decodes. */
  forward(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return this.reconstruct(x, options);
  }
}

registerModel(VQModelInterface.target, VQModelInterface);
