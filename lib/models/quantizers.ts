/** The codebooks of taming-transformers by themselves (reference: taming/modules/vqvae/quantize.py). */
import { type ResolvedParams, resolveNode } from '../config';
import type {
  EMAVectorQuantizerParams,
  GumbelQuantizeParams,
  VectorQuantizer2Params,
  VectorQuantizerParams,
} from '../config/targets/quantizers';
import type { CallOptions } from '../job';
import type { NativeObject } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';
import { withRemap } from './remap';

/** The codes that a batch of latents became. */
export interface QuantizeResult {
  /** [b, c, h, w]; gradients pass straight through to the input. */
  quant: Tensor;
  /** Scalar: commitment and codebook terms (of GumbelQuantize the divergence from the uniform distribution). */
  loss: Tensor;
  /**
   * int64: [b*h*w]; [b*h*w, 1] with `remap` and of VectorQuantizer; [b, h, w] with `sane_index_shape` and of
   * GumbelQuantize.
   */
  indices: Tensor;
  /** How many codes are in use, by the entropy of their frequencies; only VectorQuantizer and EMAVectorQuantizer tell. */
  perplexity: Tensor | null;
  /** The chosen codes as one-hot rows [b*h*w, n]; only VectorQuantizer and EMAVectorQuantizer. */
  encodings: Tensor | null;
  /** Logits over the codes [b, n, h, w]; only GumbelQuantize. */
  logits: Tensor | null;
}

type QuantizerClass<T> = (new (handle: NativeObject) => T) & { readonly target: string };

async function make<T extends Quantizer>(
  cls: QuantizerClass<T>,
  params: ResolvedParams,
  options: CreateOptions,
): Promise<T> {
  return new cls(await withRemap(params, (native) => createNative(cls.target, native, options)));
}

/** A codebook. */
export abstract class Quantizer extends Module {
  /** @param z latents [b, c, h, w]. @throws LdmError ERR_INVALID_ARGUMENT for latents of another width */
  quantize(z: Tensor, options?: CallOptions): Promise<QuantizeResult> {
    return this.call('quantize', { z }, options);
  }
  /** The embeddings of code indices (of the reduced codebook with `remap`): [b, h, w] -> [b, c, h, w], [n] -> [n, c]. */
  async codebookEntry(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('codebookEntry', { indices }, options)).quant;
  }
  /** With `remap`: indices of the whole codebook [b, ...] to those of the reduced one. */
  async remapToUsed(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('remapToUsed', { indices }, options)).indices;
  }
  /** With `remap`: indices of the reduced codebook to those of the whole one; the extra index means the first code. */
  async unmapToAll(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('unmapToAll', { indices }, options)).indices;
  }
}

/** The first version, which {@link VectorQuantizer2} replaces; it tells perplexity and one-hot codes. */
export class VectorQuantizer extends Quantizer {
  /** The class's target string in configs. */
  static readonly target = 'taming.modules.vqvae.quantize.VectorQuantizer';

  /** @throws LdmError ERR_CONFIG */
  static async create(params: VectorQuantizerParams, options: CreateOptions = {}): Promise<VectorQuantizer> {
    return VectorQuantizer.fromParams(resolveNode({ target: VectorQuantizer.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VectorQuantizer> {
    return make(VectorQuantizer, params, options);
  }
}

/** The codebook of all official VQ models. */
export class VectorQuantizer2 extends Quantizer {
  /** The class's target string in configs. */
  static readonly target = 'taming.modules.vqvae.quantize.VectorQuantizer2';

  /** @throws LdmError ERR_CONFIG; ERR_FILE, ERR_DATA for the `remap` file */
  static async create(params: VectorQuantizer2Params, options: CreateOptions = {}): Promise<VectorQuantizer2> {
    return VectorQuantizer2.fromParams(resolveNode({ target: VectorQuantizer2.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<VectorQuantizer2> {
    return make(VectorQuantizer2, params, options);
  }
}

/** A codebook whose codes are drawn by the latent's logits. */
export class GumbelQuantize extends Quantizer {
  /** The class's target string in configs. */
  static readonly target = 'taming.modules.vqvae.quantize.GumbelQuantize';

  /** @throws LdmError ERR_CONFIG; ERR_FILE, ERR_DATA for the `remap` file */
  static async create(params: GumbelQuantizeParams, options: CreateOptions = {}): Promise<GumbelQuantize> {
    return GumbelQuantize.fromParams(resolveNode({ target: GumbelQuantize.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<GumbelQuantize> {
    return make(GumbelQuantize, params, options);
  }

  /** @param temperature of the softmax, above 0 */
  async setTemperature(temperature: number): Promise<void> {
    await this.call('setTemperature', { temperature });
  }
}

/** A codebook of moving averages; every quantization in training mode updates it. */
export class EMAVectorQuantizer extends Quantizer {
  /** The class's target string in configs. */
  static readonly target = 'taming.modules.vqvae.quantize.EMAVectorQuantizer';

  /** @throws LdmError ERR_CONFIG; ERR_FILE, ERR_DATA for the `remap` file */
  static async create(params: EMAVectorQuantizerParams, options: CreateOptions = {}): Promise<EMAVectorQuantizer> {
    return EMAVectorQuantizer.fromParams(resolveNode({ target: EMAVectorQuantizer.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<EMAVectorQuantizer> {
    return make(EMAVectorQuantizer, params, options);
  }
}

registerModel(VectorQuantizer.target, VectorQuantizer);
registerModel(VectorQuantizer2.target, VectorQuantizer2);
registerModel(GumbelQuantize.target, GumbelQuantize);
registerModel(EMAVectorQuantizer.target, EMAVectorQuantizer);
