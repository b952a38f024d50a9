/**
 * DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502) with classifier-free guidance (Ho & Salimans 2022,
 * https://arxiv.org/abs/2207.12598); reference: ldm.models.diffusion.ddim.DDIMSampler.
 *
 * Departures: numbers of steps whose timesteps overflow in the reference work here (the step beyond the last timestep
 * becomes the last one); a model that predicts x0 is sampled as such unless `outputIsEps` asks for the reference's numbers.
 */
import { LdmError } from '../errors';
import type { DDPM } from '../models/ddpm';
import { type Tensor, unwrapTensors } from '../tensor';
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
  /** Guidance: uncond + scale * (cond - uncond). 1 (default) is none and costs nothing. */
  unconditionalGuidanceScale?: number;
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
}

/** A run of a sampler that takes DDIM's options. @internal */
export function strided(target: string, model: DDPM, options: DDIMSampleOptions): Sampling<DDIMSampleResult> {
  const scale = options.unconditionalGuidanceScale ?? 1;
  if (scale !== 1 && !options.unconditionalConditioning)
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
        use_original_steps: options.useOriginalSteps ?? false,
        unconditional_conditioning: unwrapTensors(options.unconditionalConditioning ?? null),
        unconditional_guidance_scale: scale,
        quantize_denoised: options.quantizeX0 ?? false,
        output_is_eps: options.outputIsEps ?? false,
      }),
      result: ({ samples, x_inter, pred_x0 }) => ({ samples, intermediates: { xInter: x_inter, predX0: pred_x0 } }),
    },
    runOptions(model, options),
  );
}
