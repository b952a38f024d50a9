/** Ancestral sampling (Ho et al. 2020, https://arxiv.org/abs/2006.11239, algorithm 2). */
import { LdmError } from '../errors';
import type { DDPM } from '../models/ddpm';
import type { NativeValue } from '../native';
import { type Tensor, unwrapTensors } from '../tensor';
import type { Conditioning } from './conditioning';
import { type RunOptions, Sampling } from './sampling';

/** What {@link DDPMSampler} and DDIMSampler have in common. */
export interface SampleOptions extends RunOptions {
  /** How many samples. Default: the batch of `xT`, else 1. */
  batchSize?: number;
  /** Shape of one sample, [c, h, w]. Default: the model's channels and image_size. */
  shape?: readonly number[];
  conditioning?: Conditioning | null;
  /** Where to start, [n, c, h, w]. Default: noise. */
  xT?: Tensor | null;
  /** Where it is 1 the sample is held at `x0` [n, c, h, w]; [n or 1, 1 or c, h, w]. Both or neither. */
  mask?: Tensor | null;
  x0?: Tensor | null;
  /** Factor on the noise of each step. Default 1. */
  temperature?: number;
  /** Dropout probability of the noise. Default 0. */
  noiseDropout?: number;
  /** The same noise for the whole batch. Default false. */
  repeatNoise?: boolean;
  /** Keep every so many-th step as intermediate, besides the first. */
  logEveryT?: number;
}

export interface DDPMSampleOptions extends SampleOptions {
  /** Use only the first so many timesteps of the model. Default: all. */
  timesteps?: number;
  /** An upper limit for `timesteps`. */
  startT?: number;
  /** Clamp each predicted clean sample to [-1, 1]. Default: as the model is set. */
  clipDenoised?: boolean;
  /** Replace each predicted clean sample by the nearest codes of the first stage (VQ). Default false. */
  quantizeDenoised?: boolean;
  /** Intermediates are predicted clean samples instead of noisy ones. Default false. */
  progressive?: boolean;
}

export interface DDPMSampleResult {
  /** [n, c, h, w] */
  samples: Tensor;
  /** xT and the noisy samples of the logged steps; with `progressive` their predicted clean samples. */
  intermediates: Tensor[];
}

/** Samples with all of a model's timesteps, one network evaluation each. */
export class DDPMSampler {
  readonly model: DDPM;

  /** @param model switch it to evaluation mode, and to its EMA weights if it has any (`model.emaScope`) */
  constructor(model: DDPM) {
    this.model = model;
  }

  /**
   * Prepares a run: await it for the result, or iterate over its steps first.
   * @throws (when it runs) LdmError ERR_INVALID_ARGUMENT for options that do not fit the model
   */
  sample(options: DDPMSampleOptions = {}): Sampling<DDPMSampleResult> {
    const { model } = this;
    return new Sampling<DDPMSampleResult>(
      {
        target: 'ldm.models.diffusion.ddpm.DDPMSampler',
        device: model.device,
        params: () => ({
          ...commonParams(model, options),
          log_every_t: options.logEveryT ?? null,
          timesteps: options.timesteps ?? null,
          start_T: options.startT ?? null,
          clip_denoised: options.clipDenoised ?? null,
          quantize_denoised: options.quantizeDenoised ?? false,
          progressive: options.progressive ?? false,
        }),
        result: (raw) => raw,
      },
      runOptions(model, options),
    );
  }
}

/** The params that every native sampler reads. @internal */
export function commonParams(model: DDPM, options: SampleOptions): Record<string, NativeValue> {
  const sample = options.shape ?? model.sampleShape;
  if (sample.length !== 3)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected shape [c, h, w] of one sample but received [${sample.join(', ')}]`,
    );
  return {
    model: model.native,
    shape: [options.batchSize ?? options.xT?.shape[0] ?? 1, ...sample],
    conditioning: unwrapTensors(options.conditioning ?? null),
    x_T: options.xT?.native ?? null,
    mask: options.mask?.native ?? null,
    x0: options.x0?.native ?? null,
    temperature: options.temperature ?? 1,
    noise_dropout: options.noiseDropout ?? 0,
    repeat_noise: options.repeatNoise ?? false,
  };
}

/** The options of a run; a score corrector is refused where the network does not predict noise. @internal */
export function runOptions(model: DDPM, options: RunOptions): RunOptions {
  if (options.scoreCorrector && model.parameterization !== 'eps')
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `A score corrector needs a model that predicts noise, but this one predicts ${model.parameterization}`,
    );
  const { signal, random, precision, onStep, onProgress, scoreCorrector } = options;
  return { signal, random, precision, onStep, onProgress, scoreCorrector };
}
