/**
 * DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502) with classifier-free guidance (Ho & Salimans 2022,
 * https://arxiv.org/abs/2207.12598); reference: ldm.models.diffusion.ddim.DDIMSampler.
 *
 * Departures: numbers of steps whose timesteps overflow in the reference work here (the step beyond the last timestep
 * becomes the last one); a model that predicts x0 is sampled as such unless `outputIsEps` asks for the reference's numbers.
 */
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { DDPM } from '../models/ddpm';
import { Tensor, unwrapTensors } from '../tensor';
import type { Conditioning } from './conditioning';
import { commonParams, runOptions, type SampleOptions } from './ddpm-sampler';
import { Sampling } from './sampling';

export interface DDIMSampleOptions extends SampleOptions {
  /** Steps S, 1 to the model's timesteps. "uniform" takes every (T // S)-th timestep, which may give a few steps more. */
  steps: number;
  /** 0 (default): deterministic. 1: as much noise as ancestral sampling. */
  eta?: number;
  /** How the steps are spread. Default 'uniform'. */
  discretize?: 'uniform' | 'quad';
  /** Run only the first (least noisy) steps, by the reference's rule: one fewer than this number. */
  timesteps?: number;
  /** All of the model's timesteps instead of `steps`. Default false. */
  useOriginalSteps?: boolean;
  /** Of the same form as `conditioning`; needed for guidance. */
  unconditionalConditioning?: Conditioning | null;
  /**
   * Guidance: uncond + scale * (cond - uncond). 1 (default) is none and costs nothing. A list has one scale for each step, in
   * the order of the steps.
   */
  unconditionalGuidanceScale?: number | readonly number[];
  /** Replace each predicted clean sample by the nearest codes of the first stage (VQ). Default false. */
  quantizeX0?: boolean;
  /** Treat the output of a model that predicts x0 as noise, as the reference does. Default false. */
  outputIsEps?: boolean;
}

export interface DDIMSampleResult {
  /** [n, c, h, w] */
  samples: Tensor;
  intermediates: {
    /** xT and the samples after the logged steps. */
    xInter: Tensor[];
    /** xT and the clean samples predicted in the logged steps. */
    predX0: Tensor[];
  };
}

export interface StochasticEncodeOptions extends CallOptions {
  /** Steps S of the sampling that follows. */
  steps: number;
  /** How the steps are spread. Default 'uniform'. */
  discretize?: 'uniform' | 'quad';
  /** `t` counts the model's timesteps instead of the steps. Default false. */
  useOriginalSteps?: boolean;
  /** Default: drawn. */
  noise?: Tensor | null;
}

export interface DDIMDecodeOptions extends Omit<DDIMSampleOptions, 'xT' | 'timesteps'> {
  /** The step to begin with, counted from the least noisy one: 1 to all steps. */
  startStep: number;
}

/** Samples with few steps. */
export class DDIMSampler {
  readonly model: DDPM;

  /** @param model switch it to evaluation mode, and to its EMA weights if it has any (`model.emaScope`) */
  constructor(model: DDPM) {
    this.model = model;
  }

  /**
   * Prepares a run: await it for the result, or iterate over its steps first.
   * @throws LdmError ERR_INVALID_ARGUMENT for options that do not fit each other or (when it runs) the model
   */
  sample(options: DDIMSampleOptions): Sampling<DDIMSampleResult> {
    return strided('ldm.models.diffusion.ddim.DDIMSampler', this.model, options);
  }

  /**
   * Clean samples with the noise of a step: where {@link decode} goes on from. Fast, and no exact inversion.
   * @param x0 [n, c, h, w]
   * @param t the step, 0 being the least noisy one: one for all, or int64 [n]. One behind the last step counts as the last.
   * @throws LdmError ERR_INVALID_ARGUMENT for steps that the model does not have
   */
  async stochasticEncode(x0: Tensor, t: number | Tensor, options: StochasticEncodeOptions): Promise<Tensor> {
    const { steps, discretize = 'uniform', useOriginalSteps = false, noise = null } = options;
    const all = typeof t === 'number' ? Tensor.full([x0.shape[0]], t, { dtype: 'int64', device: x0.device }) : t;
    const args = { x0, t: all, S: steps, discretize, use_original_steps: useOriginalSteps, noise };
    return (await this.model.call('stochasticEncode', args, options)).x;
  }

  /**
   * Prepares a run from noisy samples on: the last `startStep` steps of {@link sample}.
   * @param x as {@link stochasticEncode} gives it for t = startStep, [n, c, h, w]
   * @throws LdmError ERR_INVALID_ARGUMENT for options that do not fit each other or (when it runs) the model
   */
  decode(x: Tensor, options: DDIMDecodeOptions): Sampling<DDIMSampleResult> {
    const shape = options.shape ?? x.shape.slice(1);
    return strided('ldm.models.diffusion.ddim.DDIMSampler', this.model, { ...options, shape, xT: x });
  }
}

/** A run of a sampler that takes DDIM's options. @internal */
export function strided(
  target: string,
  model: DDPM,
  options: DDIMSampleOptions & { startStep?: number },
): Sampling<DDIMSampleResult> {
  const scale = options.unconditionalGuidanceScale ?? 1;
  const guided = typeof scale === 'number' ? scale !== 1 : scale.some((s) => s !== 1);
  if (guided && !options.unconditionalConditioning)
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected unconditionalConditioning for a guidance scale of ${scale}; pass it, or leave the scale at 1`,
    );
  return new Sampling<DDIMSampleResult>(
    {
      target,
      device: model.device,
      params: () => ({
        ...commonParams(model, options),
        log_every_t: options.logEveryT ?? 100,
        S: options.steps,
        eta: options.eta ?? 0,
        discretize: options.discretize ?? 'uniform',
        timesteps: options.timesteps ?? null,
        t_start: options.startStep ?? null,
        use_original_steps: options.useOriginalSteps ?? false,
        unconditional_conditioning: unwrapTensors(options.unconditionalConditioning ?? null),
        unconditional_guidance_scale: typeof scale === 'number' ? scale : [...scale],
        quantize_denoised: options.quantizeX0 ?? false,
        output_is_eps: options.outputIsEps ?? false,
      }),
      result: ({ samples, x_inter, pred_x0 }) => ({ samples, intermediates: { xInter: x_inter, predX0: pred_x0 } }),
    },
    runOptions(model, options),
  );
}
