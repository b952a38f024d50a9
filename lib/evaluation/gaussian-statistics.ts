/** Mean and covariance of features, and the distance of two such pairs: what FID is made of (Heusel et al. 2017). */
import type fs from 'node:fs';
import { writeAtomically } from '../checkpoint/atomic';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import { callNative, createNative } from '../models/module';
import type { NativeObject } from '../native';
import { openNpz, writeNpz } from '../retrieval/npz';
import { Tensor } from '../tensor';

/** Collected batch by batch in float64; no feature is kept. */
export class GaussianStatistics {
  #count: number;

  private constructor(
    private readonly handle: NativeObject,
    readonly dims: number,
    count: number,
  ) {
    this.#count = count;
  }

  static async create(dims: number): Promise<GaussianStatistics> {
    return new GaussianStatistics(await createNative('node_ldm.evaluation.GaussianStatistics', { dims }), dims, 0);
  }

  /**
   * Statistics of a .npz file with `mu` and `sigma`, as pytorch-fid and others save them.
   * @throws LdmError ERR_FILE, ERR_DATA
   */
  static async read(file: string): Promise<GaussianStatistics> {
    const { mu, sigma } = await openNpz(file, ['mu', 'sigma']);
    const dims = mu.shape[0];
    if (mu.shape.length !== 1 || sigma.shape.join() !== `${dims},${dims}`)
      throw new LdmError(
        'ERR_DATA',
        `Expected mu [n] and sigma [n, n] in ${file} but found [${mu.shape}] and [${sigma.shape}].`,
      );
    const numbers = async (array: typeof mu) => {
      if (array.dtype === '<f2' || array.dtype.startsWith('<i'))
        throw new LdmError('ERR_DATA', `Expected float32 or float64 in ${file} but found ${array.dtype}.`);
      using raw = Tensor.from(await array.read(), array.shape);
      return raw.to({ dtype: 'float64' });
    };
    using mean = await numbers(mu);
    using covariance = await numbers(sigma);
    // How many images there were is not in the file and does not matter any more.
    const params = { dims, count: 2, mean: mean.native, covariance: covariance.native };
    return new GaussianStatistics(await createNative('node_ldm.evaluation.GaussianStatistics', params), dims, 0);
  }

  /** Vectors added so far; 0 for statistics of a file. */
  get count(): number {
    return this.#count;
  }

  /** @param vectors [n, dims]. @throws LdmError ERR_NAN when one is not finite */
  async add(vectors: Tensor, options?: CallOptions): Promise<void> {
    this.#count = (await callNative(this.handle, 'add', { vectors }, options)).count;
  }

  /** float64 mean [dims] and covariance [dims, dims], divided by count - 1. */
  async state(): Promise<{ mean: Tensor; covariance: Tensor }> {
    return callNative(this.handle, 'state');
  }

  /** The Fréchet distance of the two Gaussians: FID, where the vectors are Inception's features. */
  async frechetDistance(other: GaussianStatistics, options?: CallOptions): Promise<number> {
    return (await callNative(this.handle, 'frechetDistance', { other: other.handle }, options)).value;
  }

  /** Writes `mu` and `sigma` as a .npz file that pytorch-fid reads, too. */
  async write(file: string): Promise<void> {
    const { mean, covariance } = await this.state();
    using _mean = mean;
    using _covariance = covariance;
    const arrays = {
      mu: { data: (await mean.data()) as Float64Array, shape: mean.shape },
      sigma: { data: (await covariance.data()) as Float64Array, shape: covariance.shape },
    };
    await writeAtomically(file, (handle: fs.promises.FileHandle) => writeNpz(handle, arrays));
  }

  dispose(): void {
    this.handle.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
