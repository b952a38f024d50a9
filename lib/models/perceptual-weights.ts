/** Sees to it that no perceptual distance is computed without VGG16's weights. */
import { gradEnabled, noGrad } from '../job';
import { loadVggFromCache } from './lpips-weights';
import type { Module } from './module';

/** Loads VGG16 from the cache folder before the first use of a module that needs it and was not given it otherwise. */
export class PerceptualWeights {
  #ready = false;

  /**
   * @param method of the module that tells as `{ready}` whether everything that it needs is there
   * @param prefix of the LPIPS part's keys
   */
  constructor(
    private readonly module: Module,
    private readonly method: string,
    private readonly prefix: string,
  ) {}

  /**
   * Calls `fn` when the weights are there, with gradients on or off as they are now.
   * @throws LdmError ERR_MISSING_WEIGHTS when they are needed and cannot be found
   */
  async before<T>(fn: () => Promise<T>): Promise<T> {
    const grad = gradEnabled();
    if (!this.#ready) {
      const { ready } = await this.module.call(this.method);
      if (!ready) await loadVggFromCache(this.module, this.prefix);
      this.#ready = true;
    }
    return await (grad ? fn() : noGrad(fn));
  }
}
