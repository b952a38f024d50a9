/** The first stage with a codebook (reference: ldm.models.autoencoder.VQModel). */
import { type ResolvedParams, resolveNode } from '../config';
import type { VQModelParams } from '../config/targets/autoencoders';
import type { CallOptions } from '../job';
import type { NativeObject } from '../native';
import type { Tensor } from '../tensor';
import { loadHeadsOfLoss } from './lpips-weights';
import { type CreateOptions, createNative } from './module';
import type { QuantizeResult } from './quantizers';
import { registerModel } from './registry';
import { withRemap } from './remap';
import { VQAutoencoder } from './vq-autoencoder';

/** What {@link VQModel.forward} gives. */
export interface VQForwardResult {
  /** [b, out_ch, H, W] */
  reconstructions: Tensor;
  /** Scalar: the quantizer's loss. */
  loss: Tensor;
  /** Of the chosen codes, see {@link QuantizeResult}. */
  indices: Tensor;
}

/** Makes a VQ model of one class, with its LPIPS heads and the weights of its `ckpt_path`. @internal */
export async function makeVqModel<T extends VQAutoencoder>(
  cls: (new (handle: NativeObject, params: ResolvedParams) => T) & { readonly target: string },
  params: ResolvedParams,
  options: CreateOptions,
): Promise<T> {
  const model = new cls(await withRemap(params, (native) => createNative(cls.target, native, options)), params);
  await loadHeadsOfLoss(model);
  if (params.ckpt_path) await model.initFromCkpt(params.ckpt_path as string, params.ignore_keys as string[]);
  return model;
}

/**
 * Encodes images to codes of a codebook, f = 2^(levels - 1) times smaller, and decodes them; what the official vq-f*
 * configs train. Latent diffusion uses {@link VQModelInterface} with the same checkpoint.
 *
 * ```ts
 * const model = await VQModel.create(params);
 * await model.initFromCkpt('models/first_stage_models/vq-f4/model.ckpt');
 * const { indices } = await noGrad(() => model.encode(image));
 * ```
 */
export class VQModel extends VQAutoencoder {
  /** The class's target string in official configs. */
  static readonly target: string = 'ldm.models.autoencoder.VQModel';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG; ERR_FILE or ERR_CHECKPOINT when `ckpt_path` cannot be read
   */
  static async create(params: VQModelParams, options: CreateOptions = {}): Promise<VQModel> {
    return VQModel.fromParams(resolveNode({ target: VQModel.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VQModel> {
    return makeVqModel(VQModel, params, options);
  }

  /** @param x images [b, in_channels, H, W]. @returns codes [b, embed_dim, H / f, W / f], their loss and indices */
  encode(x: Tensor, options?: CallOptions): Promise<QuantizeResult> {
    return this.call('encode', { x }, options);
  }

  /** @param quant codes [b, embed_dim, h, w]. @returns images [b, out_ch, h * f, w * f] */
  async decode(quant: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('decode', { z: quant, forceNotQuantize: true }, options)).x;
  }

  /** Encodes, quantizes and decodes. */
  forward(x: Tensor, options?: CallOptions): Promise<VQForwardResult> {
    return this.call('forward', { x }, options);
  }
}

registerModel(VQModel.target, VQModel);
