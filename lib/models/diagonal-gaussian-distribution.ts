/** The posterior of the KL autoencoder (reference: ldm/modules/distributions/distributions.py). */
import { type CallOptions, gradEnabled, job } from '../job';
import { type NativeObject, native } from '../native';
import type { Tensor } from '../tensor';
import { callNative, createNative } from './module';

const TARGET = 'ldm.modules.distributions.distributions.DiagonalGaussianDistribution';
const NORMAL_KL = 'ldm.modules.distributions.distributions.normal_kl';

/** The moments of a {@link DiagonalGaussianDistribution}, each [b, c, h, w] but for `parameters`, [b, 2c, h, w]. */
export interface GaussianFields {
  mean: Tensor;
  /** Natural logarithm of the variance, clamped to [-30, 20]. */
  logvar: Tensor;
  std: Tensor;
  var: Tensor;
  parameters: Tensor;
}

/** A Gaussian with diagonal covariance for each image of a batch. */
export class DiagonalGaussianDistribution {
  /** @internal */
  readonly native: NativeObject;

  /** @internal Use {@link DiagonalGaussianDistribution.create} or AutoencoderKL.encode. */
  constructor(handle: NativeObject) {
    this.native = handle;
  }

  /**
   * @param parameters [b, 2c, h, w]: means, then logarithms of variances
   * @param options.deterministic default false; true makes the variance zero
   * @throws LdmError ERR_INVALID_ARGUMENT for another shape
   */
  static async create(
    parameters: Tensor,
    options: CallOptions & { deterministic?: boolean } = {},
  ): Promise<DiagonalGaussianDistribution> {
    const params = { parameters: parameters.native, deterministic: options.deterministic ?? false };
    const surroundings = { device: parameters.device, grad: gradEnabled() };
    return new DiagonalGaussianDistribution(
      await job(options, surroundings, (o) => native().create(TARGET, params, o)),
    );
  }

  /** A draw: mean + std * noise, [b, c, h, w]. */
  async sample(options?: CallOptions): Promise<Tensor> {
    return (await callNative(this.native, 'sample', {}, options)).z;
  }
  /** The most likely value, which is the mean. */
  async mode(options?: CallOptions): Promise<Tensor> {
    return (await callNative(this.native, 'mode', {}, options)).z;
  }
  /** KL divergence from `other`, or from a standard normal: [b] in nats; [1] and zero when deterministic. */
  async kl(other?: DiagonalGaussianDistribution | null, options?: CallOptions): Promise<Tensor> {
    return (await callNative(this.native, 'kl', { other: other ?? null }, options)).kl;
  }
  /** Negative log-likelihood of `sample` in nats, summed over `dims`; [1] and zero when deterministic. */
  async nll(sample: Tensor, dims: readonly number[] = [1, 2, 3], options?: CallOptions): Promise<Tensor> {
    return (await callNative(this.native, 'nll', { sample, dims }, options)).nll;
  }
  /** Mean, variance and so on. */
  async fields(): Promise<GaussianFields> {
    return await callNative(this.native, 'fields');
  }

  dispose(): void {
    this.native.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** KL divergence in nats of two Gaussians, elementwise; the arguments broadcast against each other. */
export async function normalKl(mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor): Promise<Tensor> {
  const fn = await createNative(NORMAL_KL, {}, { device: mean1.device });
  try {
    return (await callNative(fn, 'call', { mean1, logvar1, mean2, logvar2 })).kl;
  } finally {
    fn.dispose();
  }
}
