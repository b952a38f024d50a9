/** Denoising diffusion in image space (reference: ldm.models.diffusion.ddpm.DDPM; Ho et al. 2020). */
import type { OptimizerState } from '../checkpoint';
import type { ResolvedParams, TargetNode } from '../config';
import type { DDPMParams } from '../config/targets/diffusion';
import type { CallOptions } from '../job';
import type { LoadReport, NativeObject, NativeValue } from '../native';
import type { Conditioning } from '../sampling/conditioning';
import { type DDPMSampleOptions, type DDPMSampleResult, DDPMSampler } from '../sampling/ddpm-sampler';
import type { Sampling } from '../sampling/sampling';
import type { Tensor } from '../tensor';
import type { OptimizerOptions } from '../training/optimizer';
import { type DropRules, dropConditions } from './drop-conditions';
import { inEmaScope } from './ema-scope';
import { fitWeight } from './fit-weight';
import { initFromCkpt } from './init-from-ckpt';
import { type CreateOptions, createNative, Module } from './module';
import { instantiateFromConfig, registerModel } from './registry';

/** A batch of a data loader: tensors (images [n, h, w, c]) and texts under the reference's keys. */
export type Batch = Readonly<Record<string, unknown>>;

/** Mean, variance and log-variance of a normal distribution; the latter two broadcast over the mean. */
export interface NormalMoments {
  mean: Tensor;
  variance: Tensor;
  logVariance: Tensor;
}

/** A loss with its graph and what the reference logs with it ("train/loss_simple", ...; "val/..." in evaluation mode). */
export interface DiffusionLoss {
  loss: Tensor;
  log: Record<string, Tensor>;
}

export interface PSampleOptions extends CallOptions {
  cond?: Conditioning | null;
  /** Clamp the predicted clean sample to [-1, 1]. Default: as the model is set. */
  clipDenoised?: boolean;
  /** Replace it by the nearest codes of the first stage (VQ). Default false. */
  quantizeDenoised?: boolean;
}

/** One micro-batch of training. */
export interface TrainBatchArgs {
  batch: Batch;
  /** Number of the batch within the epoch. */
  batchIdx: number;
  /** As Lightning counts it. */
  globalStep: number;
  /** Whether scalars are wanted: reading them costs a synchronization on a GPU. */
  log: boolean;
  /** Whether the optimizer steps after this micro-batch. */
  step: boolean;
  /** Micro-batches of one step: the loss is divided by it. */
  accumulate: number;
  /**
   * On the CPU, without accumulation: step each parameter within the backward pass, as soon as its own gradient is there, and free
   * that. The numbers are the same bit by bit, in less memory. But where a gradient is not finite (with `log`: ERR_NAN, and it
   * reaches no weight) or anything else ends the pass, some parameters have been stepped and others not. Default false.
   */
  stepInBackward?: boolean;
}

export interface DDPMLogImagesOptions extends CallOptions {
  /** Pictures of a kind, at most. Default 8. */
  N?: number;
  /** Pictures in the diffusion rows, at most. Default 2. */
  n_row?: number;
  /** Draw samples. Default true. */
  sample?: boolean;
}

/** What a state_dict holds of the schedule. @internal */
export const SCHEDULE_BUFFERS: readonly string[] = [
  'betas',
  'alphas_cumprod',
  'alphas_cumprod_prev',
  'sqrt_alphas_cumprod',
  'sqrt_one_minus_alphas_cumprod',
  'log_one_minus_alphas_cumprod',
  'sqrt_recip_alphas_cumprod',
  'sqrt_recipm1_alphas_cumprod',
  'posterior_variance',
  'posterior_log_variance_clipped',
  'posterior_mean_coef1',
  'posterior_mean_coef2',
];

/** A diffusion model of images. `model` holds the U-Net, `model_ema` its moving average. Timesteps are int64 [n]. */
export class DDPM extends Module {
  /** The class's target string in official configs. */
  static readonly target: string = 'ldm.models.diffusion.ddpm.DDPM';
  /** Every option, with the reference's defaults filled in. */
  readonly params: ResolvedParams;

  /** @internal */
  constructor(handle: NativeObject, params: ResolvedParams) {
    super(handle);
    this.params = params;
  }

  /**
   * Creates a model; options that are left out take the reference's defaults.
   * @throws LdmError ERR_CONFIG when an option is unknown or wrong
   */
  static async create(params: DDPMParams, options: CreateOptions = {}): Promise<DDPM> {
    return (await instantiateFromConfig({ target: DDPM.target, params }, options)) as DDPM;
  }

  /** @internal Reached through instantiateFromConfig, which fills in the reference's defaults. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<DDPM> {
    const model = new DDPM(await createNative(DDPM.target, params as NativeValue, options), params);
    await model.initFromParams();
    return model;
  }

  /** Loads the `ckpt_path` of the config. @internal */
  protected async initFromParams(): Promise<void> {
    const { ckpt_path, ignore_keys, load_only_unet } = this.params;
    if (ckpt_path === null) return;
    // The reference reads the file before it makes the schedule: the config's schedule counts, not the file's.
    const ignoreKeys = [...(ignore_keys as string[]), ...SCHEDULE_BUFFERS];
    await this.initFromCkpt(ckpt_path as string, { ignoreKeys, onlyModel: load_only_unet as boolean });
    await this.resetAverages();
  }
  /** What reset_ema and reset_num_ema_updates ask for, after a checkpoint was read. @internal */
  protected async resetAverages(): Promise<void> {
    if (this.params.reset_ema) await this.call('emaReset', { averages: true });
    else if (this.params.reset_num_ema_updates) await this.call('emaReset', { averages: false });
  }

  /** Length of the diffusion chain. */
  get numTimesteps(): number {
    const given = this.params.given_betas as readonly number[] | null;
    return given?.length ?? (this.params.timesteps as number);
  }
  /** What the network predicts. */
  get parameterization(): 'eps' | 'x0' | 'v' {
    return this.params.parameterization as 'eps' | 'x0' | 'v';
  }
  /** Shape of one sample, [c, h, w]. */
  get sampleShape(): [number, number, number] {
    const size = this.params.image_size as number | [number, number];
    return [this.params.channels as number, ...(typeof size === 'number' ? ([size, size] as const) : size)];
  }
  /** Whether ancestral sampling clamps predicted clean samples to [-1, 1]. */
  get clipDenoised(): boolean {
    return this.params.clip_denoised as boolean;
  }
  /** The config's learning-rate schedule, for createLrScheduler. */
  get schedulerConfig(): TargetNode | null {
    return this.params.scheduler_config as TargetNode | null;
  }

  /**
   * Loads what fits by name from a checkpoint.
   * @param options.ignoreKeys prefixes of keys to leave out
   * @param options.onlyModel read the U-Net only
   */
  async initFromCkpt(
    path: string,
    options: { ignoreKeys?: readonly string[]; onlyModel?: boolean } = {},
  ): Promise<LoadReport> {
    const unet = /^(model\.)?diffusion_model\./;
    const rename = (key: string) => (unet.test(key) ? key.replace(unet, 'model.diffusion_model.') : null);
    return initFromCkpt(this, path, {
      ignoreKeys: options.ignoreKeys,
      rename: options.onlyModel ? rename : undefined,
      adapt: (weight, shape, key) => this.adaptWeight(weight, shape, key),
    });
  }

  /** What is loaded in place of a weight of another shape; as it is, it is refused. @internal */
  protected adaptWeight(weight: Tensor, shape: readonly number[], key: string): Tensor {
    return this.params.make_it_fit ? fitWeight(weight, shape, key) : weight;
  }

  // ----------------------------------------------------------------------------------------------- formulas
  /** The buffers of the schedule by name, each [numTimesteps], and `lvlb_weights`. */
  async schedule(): Promise<Record<string, Tensor>> {
    return this.call('schedule');
  }
  /** A draw from q(x_t | x_0). @param noise default: drawn */
  async qSample(xStart: Tensor, t: Tensor, noise: Tensor | null = null, options?: CallOptions): Promise<Tensor> {
    return (await this.call('qSample', { xStart, t, noise }, options)).x;
  }
  /** q(x_t | x_0) */
  async qMeanVariance(xStart: Tensor, t: Tensor): Promise<NormalMoments> {
    return this.call('qMeanVariance', { xStart, t });
  }
  /** q(x_{t-1} | x_t, x_0); the log-variance is clipped. */
  async qPosterior(xStart: Tensor, x: Tensor, t: Tensor): Promise<NormalMoments> {
    return this.call('qPosterior', { xStart, x, t });
  }
  /** The clean sample that x_t and its noise come from. */
  async predictStartFromNoise(x: Tensor, t: Tensor, noise: Tensor): Promise<Tensor> {
    return (await this.call('predictStartFromNoise', { x, t, noise })).xStart;
  }
  /** The noise that leads from a clean sample to x_t. */
  async predictEpsFromXstart(x: Tensor, t: Tensor, xStart: Tensor): Promise<Tensor> {
    return (await this.call('predictEpsFromXstart', { x, t, xStart })).eps;
  }
  /** The velocity that a network with `parameterization: v` is trained to predict. */
  async getV(xStart: Tensor, noise: Tensor, t: Tensor): Promise<Tensor> {
    return (await this.call('getV', { xStart, noise, t })).v;
  }
  /** The clean sample that x_t and the velocity come from (the reference's `predict_start_from_z_and_v`). */
  async predictStartFromV(x: Tensor, t: Tensor, v: Tensor): Promise<Tensor> {
    return (await this.call('predictStartFromV', { x, t, v })).xStart;
  }
  /** The noise that x_t and the velocity come from (the reference's `predict_eps_from_z_and_v`). */
  async predictEpsFromV(x: Tensor, t: Tensor, v: Tensor): Promise<Tensor> {
    return (await this.call('predictEpsFromV', { x, t, v })).eps;
  }
  /** The prior term of the variational bound in bits per dimension, [n]. */
  async priorBpd(xStart: Tensor): Promise<Tensor> {
    return (await this.call('priorBpd', { xStart })).bpd;
  }

  // ------------------------------------------------------------------------------------------------ network
  /** The network's output for x_t [n, c, h, w] at t: noise, a clean sample or a velocity, see {@link parameterization}. */
  async applyModel(x: Tensor, t: Tensor, cond: Conditioning | null = null, options?: CallOptions): Promise<Tensor> {
    return (await this.call('applyModel', { x, t, cond }, options)).out;
  }
  /** p(x_{t-1} | x_t), and the clean sample `x0` that it rests on. */
  async pMeanVariance(x: Tensor, t: Tensor, options: PSampleOptions = {}): Promise<NormalMoments & { x0: Tensor }> {
    return this.call('pMeanVariance', { x, t, ...this.#pArgs(options) }, options);
  }
  /** A draw from p(x_{t-1} | x_t); `t` may differ within the batch. */
  async pSample(
    x: Tensor,
    t: Tensor,
    options: PSampleOptions & {
      /** Factor on the noise. Default 1. */ temperature?: number;
      /** The same noise for the whole batch. Default false. */ repeatNoise?: boolean;
    } = {},
  ): Promise<{ x: Tensor; x0: Tensor }> {
    const { temperature = 1, repeatNoise = false } = options;
    return this.call('pSample', { x, t, temperature, repeatNoise, ...this.#pArgs(options) }, options);
  }
  #pArgs(options: PSampleOptions) {
    const { cond = null, clipDenoised = this.clipDenoised, quantizeDenoised = false } = options;
    return { cond, clipDenoised, quantizeDenoised };
  }
  /** Ancestral sampling: await it, or iterate over its steps. */
  sample(options: DDPMSampleOptions = {}): Sampling<DDPMSampleResult> {
    return new DDPMSampler(this).sample(options);
  }

  // ----------------------------------------------------------------------------------------------- training
  /** The loss at given timesteps. @param options.noise default: drawn */
  async pLosses(
    xStart: Tensor,
    t: Tensor,
    options: CallOptions & { cond?: Conditioning | null; noise?: Tensor | null } = {},
  ): Promise<DiffusionLoss> {
    const { cond = null, noise = null } = options;
    return this.call('pLosses', { xStart, t, cond, noise }, options);
  }
  /** The loss of a batch at random timesteps; for training loops that are written by hand. */
  async sharedStep(batch: Batch, options?: CallOptions): Promise<DiffusionLoss> {
    return this.call('sharedStep', { batch }, options);
  }
  /** What the reference does before the loss of a batch: scale_by_std. {@link trainBatch} includes it. */
  async onTrainBatchStart(batch: Batch, batchIdx: number, globalStep: number, options?: CallOptions): Promise<void> {
    await this.call('onTrainBatchStart', { batch, batchIdx, globalStep }, options);
  }
  /** Creates the AdamW optimizer over the network, and with them the trained conditioning stage and logvar. */
  async configureOptimizers(options: OptimizerOptions): Promise<void> {
    await this.call('configureOptimizers', { ...options });
  }
  /** @param rates one learning rate, for the one optimizer */
  async setLearningRates(rates: readonly number[]): Promise<void> {
    await this.call('setLearningRates', { rates: [...rates] });
  }
  /** torch's `state_dict()` of the optimizer, with live tensors. */
  async optimizerStates(): Promise<OptimizerState[]> {
    return (await this.call('optimizerStates')).states;
  }
  /** Continues with the states of a checkpoint or of an optimizer; call {@link configureOptimizers} first. */
  async loadOptimizerStates(states: readonly OptimizerState[]): Promise<void> {
    await this.call('loadOptimizerStates', { states: [...states] });
  }
  /** A whole micro-batch as one job: loss, backward, optimizer step, moving average. */
  async trainBatch(args: TrainBatchArgs, options?: CallOptions): Promise<{ log: Record<string, number> }> {
    const rules = this.params.ucg_training as DropRules | null;
    const batch = rules ? await dropConditions(args.batch, rules, options?.random) : args.batch;
    return this.call('trainBatch', { ...args, batch }, options);
  }
  /** The losses of a validation batch with the plain weights and (names end in "_ema") with the averaged ones. */
  async validateBatch(
    args: Pick<TrainBatchArgs, 'batch' | 'batchIdx' | 'globalStep'>,
    options?: CallOptions,
  ): Promise<{ log: Record<string, number> }> {
    return this.call('validateBatch', { ...args }, options);
  }

  /**
   * Runs `fn` with the averaged weights in place of the trained ones; without `use_ema`, just runs it.
   * @returns what `fn` returns
   */
  emaScope<T>(fn: () => T | Promise<T>): Promise<T> {
    return inEmaScope(this, fn);
  }

  /** Pictures that show how training goes: inputs, diffusion_row, samples, denoise_row. */
  async logImages(batch: Batch, options: DDPMLogImagesOptions = {}): Promise<Record<string, Tensor>> {
    const { N = 8, n_row = 2, sample = true } = options;
    return this.call('logImages', { batch, N, n_row, sample }, options);
  }
}

registerModel(DDPM.target, DDPM);
