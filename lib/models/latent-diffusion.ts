/** Diffusion in a first stage's latent space (reference: ldm.models.diffusion.ddpm.LatentDiffusion; Rombach et al. 2022). */
import type { ResolvedNode, ResolvedParams } from '../config';
import { resolveSplitInput, type SplitInputParams } from '../config/split-input';
import type { LatentDiffusionParams } from '../config/targets/diffusion';
import type { CallOptions } from '../job';
import type { LoadReport, NativeObject, NativeValue } from '../native';
import { textPictures } from '../pictures/text-pictures';
import type { DDPMSampleOptions, DDPMSampleResult } from '../sampling/ddpm-sampler';
import type { Sampling } from '../sampling/sampling';
import type { Tensor } from '../tensor';
import type { Tokenizer } from '../text';
import { conditionTokenizer } from './condition-tokenizer';
import { type Batch, DDPM, type DDPMLogImagesOptions } from './ddpm';
import { initStages } from './init-from-ckpt';
import { type CreateOptions, createNative } from './module';
import { instantiateFromConfig, registerModel } from './registry';
import { withRemap } from './remap';

/** What a batch becomes. */
export interface LatentInput {
  /** Latents, scaled, [n, c, h, w]. */
  z: Tensor;
  /** The conditioning, encoded unless its stage is being trained; null when unconditional. */
  c: unknown;
  /** The images, [n, c, H, W]. */
  x: Tensor;
  /** What the conditioning is encoded from. */
  xc: unknown;
  /** The images after encoding and decoding, with `reconstruct`. */
  xrec?: Tensor;
}

export interface DecodeOptions extends CallOptions {
  /** z are logits over the codebook [n, classes, h, w], or code indices [n, h, w]. Default false. */
  predictCids?: boolean;
  /** z is quantized already (VQ). Default false. */
  forceNotQuantize?: boolean;
}

export interface LogImagesOptions extends DDPMLogImagesOptions {
  /** Pictures in the diffusion rows, at most. Default 4. */
  n_row?: number;
  /** Steps of DDIM; null: ancestral sampling. Default 200, or all of a model that has fewer. */
  ddim_steps?: number | null;
  /** Default 1. */
  ddim_eta?: number;
  /** Also sample with quantized x0 (VQ). Default true. */
  quantize_denoised?: boolean;
  /** Also in- and outpaint the middle. Default true. */
  inpaint?: boolean;
  /** Default false. */
  plot_denoise_rows?: boolean;
  /** Default true. */
  plot_progressive_rows?: boolean;
  /** Default true. */
  plot_diffusion_rows?: boolean;
}

const isTexts = (value: unknown): value is string | string[] =>
  typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));

/** The codebook file of a VQ first stage is read here: the native side knows no files. */
export function withFirstStageRemap<T>(
  params: ResolvedParams,
  create: (params: NativeValue) => Promise<T>,
): Promise<T> {
  const stage = params.first_stage_config as ResolvedNode;
  return withRemap(stage.params, (inner) =>
    create({ ...params, first_stage_config: { ...stage, params: inner } } as NativeValue),
  );
}

/** A latent diffusion model: first stage, conditioning stage, U-Net and its moving average. */
export class LatentDiffusion extends DDPM {
  /** The class's target string in official configs. */
  static override readonly target: string = 'ldm.models.diffusion.ddpm.LatentDiffusion';
  /** Makes token ids of texts; null when the conditioning stage takes no texts. */
  readonly tokenizer: Tokenizer | null;

  /** @internal */
  constructor(handle: NativeObject, params: ResolvedParams) {
    super(handle, params);
    this.tokenizer = conditionTokenizer(params.cond_stage_config);
  }

  /**
   * Creates a model; options that are left out take the reference's defaults.
   * @throws LdmError ERR_CONFIG when an option is unknown or wrong
   */
  static override async create(params: LatentDiffusionParams, options: CreateOptions = {}): Promise<LatentDiffusion> {
    return (await instantiateFromConfig({ target: LatentDiffusion.target, params }, options)) as LatentDiffusion;
  }

  /** @internal Reached through instantiateFromConfig, which fills in the reference's defaults. */
  static override async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<LatentDiffusion> {
    const handle = await withFirstStageRemap(params, (native) => createNative(LatentDiffusion.target, native, options));
    const model = new LatentDiffusion(handle, params);
    await model.initFromParams();
    return model;
  }

  /** Texts among the arguments (a condition, or the captions of a batch) become tokens before they reach the network. */
  override async call(method: string, args: Record<string, unknown> = {}, options?: CallOptions): Promise<any> {
    const key = this.params.cond_stage_key as string;
    const batch = args.batch as Batch | undefined;
    const texts = batch ? batch[key] : args.input;
    if (!this.tokenizer || !isTexts(texts)) return super.call(method, args, options);
    using tokens = this.tokenizer.encode(texts);
    using input = tokens.to({ device: this.device });
    return super.call(method, batch ? { ...args, batch: { ...batch, [key]: input } } : { ...args, input }, options);
  }

  /** Loads the `ckpt_path` of each stage and of the config. @internal */
  protected override async initFromParams(): Promise<void> {
    const { ckpt_path, ignore_keys } = this.params;
    await initStages(this, this.params);
    if (ckpt_path === null) return;
    await this.initFromCkpt(ckpt_path as string, { ignoreKeys: ignore_keys as string[] });
    await this.resetAverages();
  }

  /** As in the reference, latents are never clamped unless a call asks for it. */
  override get clipDenoised(): boolean {
    return false;
  }

  /** Loads what fits by name from a checkpoint; scale_by_std then keeps the checkpoint's scale. */
  override async initFromCkpt(
    path: string,
    options: { ignoreKeys?: readonly string[]; onlyModel?: boolean } = {},
  ): Promise<LoadReport> {
    const report = await super.initFromCkpt(path, options);
    await this.call('markRestarted');
    return report;
  }

  // ------------------------------------------------------------------------------------------------- stages
  /** The scaled latents of images [n, c, H, W] in [-1, 1]: a draw from the first stage's posterior. */
  async encodeFirstStage(x: Tensor, options?: CallOptions): Promise<Tensor> {
    const encoding = await this.call('encodeFirstStage', { x }, options);
    return (await this.call('getFirstStageEncoding', encoding, options)).z;
  }
  /** Images of scaled latents. Records no graph; see {@link differentiableDecodeFirstStage}. */
  async decodeFirstStage(z: Tensor, options: DecodeOptions = {}): Promise<Tensor> {
    const { predictCids = false, forceNotQuantize = false } = options;
    return (await this.call('decodeFirstStage', { z, predictCids, forceNotQuantize }, options)).x;
  }
  /** {@link decodeFirstStage} with a graph. */
  async differentiableDecodeFirstStage(z: Tensor, options: DecodeOptions = {}): Promise<Tensor> {
    const { predictCids = false, forceNotQuantize = false } = options;
    return (await this.call('differentiableDecodeFirstStage', { z, predictCids, forceNotQuantize }, options)).x;
  }
  /**
   * Encodes a condition.
   * @param input a tensor; a batch for stages that pick their entry by name (class labels); texts for stages that take
   *   them, "" being what guidance leads away from
   */
  async getLearnedConditioning(
    input: Tensor | Batch | string | readonly string[],
    options?: CallOptions,
  ): Promise<Tensor> {
    return (await this.call('getLearnedConditioning', { input }, options)).c;
  }
  /**
   * Latents and conditioning of a batch.
   * @param options.forceEncode encode the conditioning also when its stage is being trained
   * @param options.reconstruct also decode the latents
   * @param options.limit use the first so many entries
   */
  async getInput(
    batch: Batch,
    options: CallOptions & { forceEncode?: boolean; reconstruct?: boolean; limit?: number } = {},
  ): Promise<LatentInput> {
    const { forceEncode = false, reconstruct = false, limit = null } = options;
    return this.call('getInput', { batch, forceEncode, reconstruct, limit }, options);
  }

  /**
   * Lets first stage and network work on overlapping patches, so that images much larger than those of the training fit;
   * null: on whole images again (the default).
   * @throws LdmError ERR_CONFIG when an option is unknown or wrong. Inputs that the patches do not cover are refused with
   *   ERR_INVALID_ARGUMENT when they come.
   */
  async setSplitInputParams(params: SplitInputParams | null): Promise<void> {
    await this.call('setSplitInputParams', { params: params && resolveSplitInput(params) });
  }
  /**
   * How the patches of an input are weighted, as {@link setSplitInputParams} says (the reference's get_fold_unfold).
   * @param options.enlarge,options.reduce factor between a patch and what is made of it; both default to 1
   * @returns `weighting` [1, 1, kh, kw, patches], `normalization` [1, 1, height, width]: the sum of the weights
   */
  async patchWeighting(
    height: number,
    width: number,
    options: { enlarge?: number; reduce?: number } = {},
  ): Promise<{ weighting: Tensor; normalization: Tensor }> {
    const { enlarge = 1, reduce = 1 } = options;
    return this.call('patchWeighting', { height, width, enlarge, reduce });
  }

  // ----------------------------------------------------------------------------------------------- sampling
  /** Ancestral sampling whose intermediates are the predicted clean latents. */
  progressiveDenoising(options: Omit<DDPMSampleOptions, 'progressive'> = {}): Sampling<DDPMSampleResult> {
    return this.sample({ ...options, progressive: true });
  }

  /**
   * Pictures that show how training goes: inputs, reconstruction, conditioning (as a picture, or its text), diffusion_row,
   * samples, denoise_row, samples_x0_quantized, samples_inpainting, mask, samples_outpainting, progressive_row.
   */
  override async logImages(batch: Batch, options: LogImagesOptions = {}): Promise<Record<string, Tensor>> {
    const args = {
      N: options.N ?? 8,
      n_row: options.n_row ?? 4,
      sample: options.sample ?? true,
      ddim_steps: options.ddim_steps === undefined ? Math.min(200, this.numTimesteps) : options.ddim_steps,
      ddim_eta: options.ddim_eta ?? 1,
      quantize_denoised: options.quantize_denoised ?? true,
      inpaint: options.inpaint ?? true,
      plot_denoise_rows: options.plot_denoise_rows ?? false,
      plot_progressive_rows: options.plot_progressive_rows ?? true,
      plot_diffusion_rows: options.plot_diffusion_rows ?? true,
    };
    const log: Record<string, Tensor> = await this.call('logImages', { batch, ...args }, options);
    const texts = this.#conditionTexts(batch);
    if (texts && !log.conditioning) {
      const [, , height, width] = log.inputs.shape;
      log.conditioning = await textPictures(texts.slice(0, args.N), { width, height });
    }
    return log;
  }

  /** Captions or names of classes in a batch, where that is what the model is conditioned on. */
  #conditionTexts(batch: Batch): readonly string[] | null {
    if (this.params.cond_stage_config === '__is_unconditional__') return null;
    const key = this.params.cond_stage_key as string;
    const texts = batch[key === 'class_label' ? 'human_label' : key];
    return (key === 'class_label' || key === 'caption') && Array.isArray(texts) ? texts : null;
  }
}

registerModel(LatentDiffusion.target, LatentDiffusion);
