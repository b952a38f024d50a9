/** The perceptual distance LPIPS 0.1 with VGG16 (reference: taming.modules.losses.lpips.LPIPS; Zhang et al. 2018). */
import { type ResolvedParams, resolveNode } from '../config';
import type { LPIPSParams } from '../config/targets/loss-networks';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { loadLpipsHeads, loadVggWeights } from './lpips-weights';
import { type CreateOptions, createNative, Module } from './module';
import { PerceptualWeights } from './perceptual-weights';
import { registerModel } from './registry';

/** Compares images in [-1, 1] as people do. The heads come with this package, VGG16 with `ldm download lpips`. */
export class LPIPS extends Module {
  /** The class's target string. */
  static readonly target = 'taming.modules.losses.lpips.LPIPS';
  readonly #weights = new PerceptualWeights(this, 'perceptualReady', '');

  /** In training mode, with dropout, as the reference makes it; call `eval()` to measure. */
  static async create(params: LPIPSParams = {}, options: CreateOptions = {}): Promise<LPIPS> {
    return LPIPS.fromParams(resolveNode({ target: LPIPS.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<LPIPS> {
    const lpips = new LPIPS(await createNative(LPIPS.target, params as NativeValue, options));
    await loadLpipsHeads(lpips);
    return lpips;
  }

  /** Loads VGG16 from a torchvision state dict. @throws LdmError ERR_FILE, ERR_CHECKPOINT */
  loadVgg(file: string): Promise<void> {
    return loadVggWeights(this, file);
  }

  /**
   * The distance of two batches of images [b, 3, H, W]: [b, 1, 1, 1].
   * @throws LdmError ERR_MISSING_WEIGHTS when VGG16 was not loaded and is not in the cache folder
   */
  async forward(input: Tensor, target: Tensor, options?: CallOptions): Promise<Tensor> {
    const result = await this.#weights.before(() => this.call('forward', { input, target }, options));
    return result.value;
  }

  /** VGG16's activations relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 for images in [-1, 1]. */
  async features(x: Tensor, options?: CallOptions): Promise<Tensor[]> {
    return (await this.#weights.before(() => this.call('features', { x }, options))).features;
  }
}

registerModel(LPIPS.target, LPIPS);
