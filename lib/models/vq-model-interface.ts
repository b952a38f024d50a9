/** The VQ first stage as latent diffusion uses it (reference: ldm.models.autoencoder.VQModelInterface). */
import { type ResolvedParams, resolveNode } from '../config';
import type { VQModelParams } from '../config/targets/autoencoders';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { ImageAutoencoder } from './image-autoencoder';
import { type CreateOptions, createNative } from './module';
import { readIndexArray } from './npy';
import { registerModel } from './registry';

/** The nearest codes of a batch of latents. */
export interface QuantizeResult {
  /** [b, c, h, w]; gradients pass straight through to the input. */
  quant: Tensor;
  /** Scalar: commitment and codebook terms. */
  loss: Tensor;
  /** int64: [b*h*w]; [b*h*w, 1] with `remap`; [b, h, w] with `sane_index_shape`. */
  indices: Tensor;
}

/** Encodes to what lies before the codebook; decoding quantizes first. Training follows the VQModel class. */
export class VQModelInterface extends ImageAutoencoder {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.models.autoencoder.VQModelInterface';

  /** @param params as `params` of an official config. @throws LdmError ERR_CONFIG, ERR_FILE, ERR_CHECKPOINT */
  static async create(params: VQModelParams, options: CreateOptions = {}): Promise<VQModelInterface> {
    return VQModelInterface.fromParams(resolveNode({ target: VQModelInterface.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VQModelInterface> {
    const remap = params.remap ? await readIndexArray(params.remap as string) : null;
    const native = { ...params, remap: remap?.native ?? null } as NativeValue;
    const model = new VQModelInterface(await createNative(VQModelInterface.target, native, options));
    remap?.dispose();
    if (params.ckpt_path) await model.initFromCkpt(params.ckpt_path as string, params.ignore_keys as string[]);
    return model;
  }

  /** @param x images [b, in_channels, H, W]. @returns latents [b, embed_dim, H / f, W / f] before quantization */
  async encode(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { x }, options)).z;
  }

  /**
   * @param z latents [b, embed_dim, h, w]
   * @param options.forceNotQuantize default false: z is replaced by its nearest codes first
   */
  async decode(z: Tensor, options: CallOptions & { forceNotQuantize?: boolean } = {}): Promise<Tensor> {
    const { forceNotQuantize = false, ...callOptions } = options;
    return (await this.call('decode', { z, forceNotQuantize }, callOptions)).x;
  }

  /** The nearest codes of latents [b, embed_dim, h, w]. */
  quantize(z: Tensor, options?: CallOptions): Promise<QuantizeResult> {
    return this.call('quantize', { z }, options);
  }

  /** The embeddings [b, embed_dim, h, w] of code indices [b, h, w]. */
  async codebookEntry(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('codebookEntry', { indices }, options)).quant;
  }

  /** Encodes, quantizes and decodes. */
  async forward(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x }, options)).reconstructions;
  }
}

registerModel(VQModelInterface.target, VQModelInterface);
