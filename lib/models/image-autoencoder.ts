/** What AutoencoderKL and the VQ models have in common (reference: ldm/models/autoencoder.py). */
import type { CallOptions } from '../job';
import type { LoadReport } from '../native';
import type { Tensor } from '../tensor';
import type { Batch } from './ddpm';
import { initFromCkpt } from './init-from-ckpt';
import { Module } from './module';

/** Images of one step by name, [b, 1 or 3, H, W] in about [-1, 1]. */
export type LoggedImages = Record<string, Tensor>;

/** An encoder and a decoder of images. */
export abstract class ImageAutoencoder extends Module {
  /**
   * Loads what fits by name from a checkpoint and leaves the rest as it is.
   * @param ignoreKeys prefixes of keys to leave out
   * @throws LdmError ERR_CHECKPOINT, ERR_FILE; ERR_MISSING_KEYS for tensors of another shape
   */
  initFromCkpt(path: string, ignoreKeys: readonly string[] = []): Promise<LoadReport> {
    return initFromCkpt(this, path, { ignoreKeys });
  }

  /**
   * What remains of images after encoding to the most likely latent and decoding. Records no graph.
   * @param x images [b, in_channels, H, W]. @returns [b, out_ch, H, W], smaller where f does not divide the size
   */
  abstract reconstruct(x: Tensor, options?: CallOptions): Promise<Tensor>;

  /**
   * The images of a batch as the model takes them.
   * @param key default: the config's `image_key`
   * @param batch holds [b, H, W, c], or [b, H, W] for one channel, under that key
   * @returns float32 [b, c, H, W] on the model's device
   * @throws LdmError ERR_INVALID_ARGUMENT when the key is missing or the shape is another
   */
  async getInput(batch: Batch, key?: string): Promise<Tensor> {
    return (await this.call('getInput', { batch, key: key ?? null })).x;
  }

  /**
   * Segmentation maps [b, labels, H, W] in random but fixed colours: [b, 3, H, W], stretched to [-1, 1]. Only for models
   * with image_key 'segmentation'; without `colorize_nlabels` the colours are drawn at the first call.
   */
  async toRgb(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('toRgb', { x }, options)).x;
  }

  /** The decoder's last weight, at which the adversarial loss is balanced. The live parameter. */
  async getLastLayer(): Promise<Tensor> {
    return (await this.call('getLastLayer')).weight;
  }
}
