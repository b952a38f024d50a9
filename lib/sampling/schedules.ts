/** Noise schedules by themselves (reference: ldm.modules.diffusionmodules.util). */
import { LdmError } from '../errors';
import { job } from '../job';
import { createNative } from '../models/module';
import { native } from '../native';
import { type Tensor, unwrapTensors, wrapTensors } from '../tensor';

async function call(method: string, args: Record<string, unknown>): Promise<any> {
  const functions = await createNative('ldm.modules.diffusionmodules.util', {});
  try {
    return wrapTensors(await job(undefined, {}, (o) => native().call(functions, method, unwrapTensors(args), o)));
  } finally {
    functions.dispose();
  }
}

export interface BetaScheduleOptions {
  /** First beta. Default 1e-4. */
  linearStart?: number;
  /** Last beta. Default 2e-2. */
  linearEnd?: number;
  /** Offset of the cosine schedule. Default 8e-3. */
  cosineS?: number;
}

/**
 * The betas of the forward process.
 * @param schedule 'linear' is linear in sqrt(beta), 'sqrt_linear' in beta
 * @returns [timesteps], float64
 */
export async function makeBetaSchedule(
  schedule: 'linear' | 'cosine' | 'sqrt_linear' | 'sqrt' | 'squaredcos_cap_v2',
  timesteps: number,
  options: BetaScheduleOptions = {},
): Promise<Tensor> {
  const { linearStart = 1e-4, linearEnd = 2e-2, cosineS = 8e-3 } = options;
  const args = { schedule, n_timestep: timesteps, linear_start: linearStart, linear_end: linearEnd, cosine_s: cosineS };
  return (await call('makeBetaSchedule', args)).betas;
}

/**
 * The timesteps of DDIM, ascending.
 * @param steps 1 to `modelSteps`; 'uniform' may give a few more
 */
export async function makeDdimTimesteps(
  method: 'uniform' | 'quad',
  steps: number,
  modelSteps: number,
): Promise<number[]> {
  return (await call('makeDdimTimesteps', { method, steps, modelSteps })).timesteps;
}

/** The coefficients of DDIM for timesteps of {@link makeDdimTimesteps}: sigmas and alphasPrev float64, alphas float32. */
export async function makeDdimSamplingParameters(
  alphasCumprod: Tensor,
  timesteps: readonly number[],
  eta: number,
): Promise<{ sigmas: Tensor; alphas: Tensor; alphasPrev: Tensor }> {
  return call('makeDdimSamplingParameters', { alphasCumprod, timesteps: [...timesteps], eta });
}

/**
 * Betas whose alpha_bar follows a function of time, for `given_betas`.
 * @param alphaBar from 0..1 to 1..0, the product of (1 - beta) up to there
 * @param maxBeta upper limit that prevents singularities. Default 0.999
 */
export function betasForAlphaBar(timesteps: number, alphaBar: (time: number) => number, maxBeta = 0.999): Float64Array {
  if (!(timesteps >= 1))
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected at least 1 timestep but received ${timesteps}`);
  return Float64Array.from({ length: timesteps }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / timesteps) / alphaBar(i / timesteps), maxBeta),
  );
}

/** Options of DDPM that its tables depend on. */
const SCHEDULE_OPTIONS = [
  'beta_schedule',
  'cosine_s',
  'given_betas',
  'linear_end',
  'linear_start',
  'parameterization',
  'timesteps',
  'v_posterior',
];

/**
 * The tables of a diffusion model under the names of its state_dict and in their order, float32.
 * @param params resolved options of DDPM or LatentDiffusion
 */
export async function scheduleBuffers(params: Record<string, unknown>): Promise<Map<string, Tensor>> {
  const options = Object.fromEntries(SCHEDULE_OPTIONS.map((key) => [key, params[key]]));
  return new Map(Object.entries((await call('scheduleBuffers', options)).buffers as Record<string, Tensor>));
}
