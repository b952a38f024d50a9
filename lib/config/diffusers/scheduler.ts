/** Noise schedules: options of DDPM <-> scheduler_config.json (DDIM, PNDM, DDPM and the others that share its fields). */
import { z } from 'zod';
import { LdmError } from '../../errors';
import type { ddpm } from '../targets/diffusion';
import { configJson, type Findings, type Json, positive } from './translation';

type Params = z.output<typeof ddpm>;

/** The reference's linear is linear in sqrt(beta): diffusers' scaled_linear. Its sqrt_linear is diffusers' linear. */
const SCHEDULES: readonly (readonly [official: string, diffusers: string])[] = [
  ['linear', 'scaled_linear'],
  ['sqrt_linear', 'linear'],
  ['cosine', 'squaredcos_cap_v2'],
  ['squaredcos_cap_v2', 'squaredcos_cap_v2'],
];
const PREDICTIONS: readonly (readonly [official: string, diffusers: string])[] = [
  ['eps', 'epsilon'],
  ['x0', 'sample'],
  ['v', 'v_prediction'],
];

export type SchedulerClass = 'DDIMScheduler' | 'PNDMScheduler' | 'DDPMScheduler';

/** The scheduler_config.json of an official diffusion model. */
export function schedulerToJson(p: Params, className: SchedulerClass, findings: Findings): Json {
  const schedule = SCHEDULES.find(([official]) => official === p.beta_schedule)?.[1];
  findings.expect(schedule !== undefined || p.given_betas !== null, `beta_schedule is ${p.beta_schedule}`);
  findings.expect(
    p.beta_schedule !== 'cosine' || p.cosine_s === 8e-3,
    `cosine_s is ${p.cosine_s}; diffusers has 0.008 for all models`,
  );
  findings.note(p.v_posterior !== 0, `v_posterior ${p.v_posterior}: diffusers' samplers have no such mixture`);
  const values: Json = {
    beta_end: p.linear_end,
    beta_schedule: schedule ?? 'linear',
    beta_start: p.linear_start,
    num_train_timesteps: p.given_betas?.length ?? p.timesteps,
    prediction_type: PREDICTIONS.find(([official]) => official === p.parameterization)![1],
    trained_betas: p.given_betas,
  };
  // The reference's DDIM visits t = 1, 1 + T / S, ..., ends with the first alpha_bar and clips nothing.
  const latent: Json = { clip_sample: false, set_alpha_to_one: false, steps_offset: 1, timestep_spacing: 'leading' };
  switch (className) {
    case 'DDIMScheduler':
      return configJson(className, { ...values, ...latent });
    case 'PNDMScheduler':
      return configJson(className, { ...values, ...latent, skip_prk_steps: true });
    case 'DDPMScheduler':
      return configJson(className, { ...values, clip_sample: p.clip_denoised, variance_type: 'fixed_small' });
  }
}

const schema = z.looseObject({
  num_train_timesteps: positive().default(1000),
  beta_start: z.number().default(1e-4),
  beta_end: z.number().default(2e-2),
  beta_schedule: z.string().default('linear'),
  trained_betas: z.array(z.number()).nullish(),
  prediction_type: z.string().default('epsilon'),
  clip_sample: z.boolean().optional(),
  rescale_betas_zero_snr: z.boolean().default(false),
});

/** The options of DDPM that a scheduler_config.json decides on. */
export function schedulerFromJson(json: Json, where: string, findings: Findings): Record<string, unknown> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new LdmError('ERR_CONFIG', `${where}: ${path.join('.')}: ${message}`);
  }
  const c = parsed.data;
  const schedule = [...SCHEDULES].reverse().find(([, diffusers]) => diffusers === c.beta_schedule)?.[0];
  const parameterization = PREDICTIONS.find(([, diffusers]) => diffusers === c.prediction_type)?.[0];
  findings.expect(schedule !== undefined || !!c.trained_betas, `${where}: beta_schedule is ${c.beta_schedule}`);
  findings.expect(parameterization !== undefined, `${where}: prediction_type is ${c.prediction_type}`);
  findings.expect(!c.rescale_betas_zero_snr, `${where}: rescale_betas_zero_snr is true`);
  return {
    linear_start: c.beta_start,
    linear_end: c.beta_end,
    timesteps: c.num_train_timesteps,
    ...(schedule === undefined || schedule === 'linear' ? {} : { beta_schedule: schedule }),
    ...(c.trained_betas ? { given_betas: c.trained_betas } : {}),
    ...(parameterization === 'eps' ? {} : { parameterization }),
  };
}
