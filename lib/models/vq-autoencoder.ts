/** What the VQ models have in common: codebook, moving average. */
import { type CallOptions, noGrad } from '../job';
import type { Tensor } from '../tensor';
import { inEmaScope } from './ema-scope';
import type { QuantizeResult } from './quantizers';
import { TrainableAutoencoder } from './trainable-autoencoder';

/** An autoencoder whose latent is made of codes. */
export abstract class VQAutoencoder extends TrainableAutoencoder {
  /** @param x images [b, in_channels, H, W]. @returns latents [b, embed_dim, H / f, W / f] before quantization */
  async encodeToPrequant(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encodeToPrequant', { x }, options)).z;
  }

  /** The nearest codes of latents [b, embed_dim, h, w]. */
  quantize(z: Tensor, options?: CallOptions): Promise<QuantizeResult> {
    return this.call('quantize', { z }, options);
  }

  /** The embeddings of code indices: [b, h, w] -> [b, embed_dim, h, w], [n] -> [n, embed_dim]. */
  async codebookEntry(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('codebookEntry', { indices }, options)).quant;
  }

  /** The images [b, out_ch, h * f, w * f] of code indices [b, h, w]. */
  async decodeCode(indices: Tensor, options?: CallOptions): Promise<Tensor> {
    using z = await this.codebookEntry(indices, options);
    return (await this.call('decode', { z, forceNotQuantize: true }, options)).x;
  }

  override async reconstruct(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await noGrad(() => this.call('forward', { x }, options))).reconstructions;
  }

  /**
   * Runs `fn` with the averaged weights in place of the trained ones; without `use_ema`, just runs it.
   * @returns what `fn` returns
   */
  emaScope<T>(fn: () => T | Promise<T>): Promise<T> {
    return inEmaScope(this, fn);
  }
}
