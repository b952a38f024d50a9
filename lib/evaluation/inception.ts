/** The features of Inception v3 that FID compares. */
import { readCheckpoint } from '../checkpoint';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import { createNative, Module } from '../models/module';
import type { Tensor } from '../tensor';
import { inceptionName } from './inception-names';

/** How images become the network's input; see {@link FID_PROTOCOLS}. */
export type FidProtocol = 'torch-fidelity' | 'pytorch-fid';

/** The two common ways to compute FID, as the Python packages of these names do it, in words. */
export const FID_PROTOCOLS: Readonly<Record<FidProtocol, string>> = {
  'torch-fidelity':
    '8-bit RGB, bilinear to 299 x 299 as TensorFlow 1.x (no antialiasing), (x - 128) / 128, float32 network, float64 statistics',
  'pytorch-fid':
    '8-bit RGB / 255, bilinear to 299 x 299 with half-pixel centres (no antialiasing), 2 x - 1, float32 network, float64 statistics',
};
const RESIZE: Record<FidProtocol, string> = { 'torch-fidelity': 'tensorflow', 'pytorch-fid': 'half-pixel' };

/** Inception v3 with the weights of TensorFlow's inception-2015-12-05, up to its 2048 features. */
export class InceptionV3 extends Module {
  /** Numbers in a feature vector. */
  static readonly dims = 2048;

  /** Without weights: load them before use. */
  static async create(options: { device?: string } = {}): Promise<InceptionV3> {
    return new InceptionV3(await createNative('node_ldm.evaluation.InceptionV3', {}, options));
  }

  /**
   * Loads the weights of a file: a state dict or TorchScript archive of pytorch-fid or torch-fidelity, or NVIDIA's TorchScript
   * translation.
   * @throws LdmError ERR_FILE, ERR_CHECKPOINT when it is no Inception v3
   */
  async loadWeights(file: string): Promise<void> {
    using checkpoint = await readCheckpoint(file, { torchScript: true });
    const state = new Map<string, Tensor>();
    for (const [name, tensor] of checkpoint.stateDict) {
      const own = inceptionName(name);
      if (own) state.set(own, tensor);
    }
    const needed = (await this.#names()).filter((name) =>
      /conv\.weight$|bn\.(bias|running_mean|running_var)$/.test(name),
    );
    const missing = needed.filter((name) => !state.has(name));
    if (missing.length > 0)
      throw new LdmError(
        'ERR_CHECKPOINT',
        `Expected the Inception v3 of FID in ${file} (such as pt_inception-2015-12-05-6726825d.pth) but ${missing.length} of its ${needed.length} tensors are not there, such as ${missing[0]}.`,
      );
    await this.loadStateDict(state, { strict: false, source: file });
  }

  async #names(): Promise<string[]> {
    const state = await this.stateDict();
    for (const tensor of state.values()) tensor.dispose();
    return [...state.keys()];
  }

  /** @param images uint8 [n, 3, H, W]. @returns float32 [n, 2048] */
  async features(images: Tensor, protocol: FidProtocol, options?: CallOptions): Promise<Tensor> {
    return (await this.call('features', { images, resize: RESIZE[protocol] }, options)).features;
  }
}
