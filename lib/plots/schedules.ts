/**
 * Charts of the forward process: the noise schedules, and the weights that the variational bound gives to the timesteps. All
 * numbers are tables of a diffusion model of this library.
 */
import { DDPM } from '../models/ddpm';
import type { Panel, Series } from '../pictures/line-chart';

/** The reference's names. Its 'linear' is linear in sqrt(beta), its 'sqrt_linear' in beta. */
const SCHEDULES = ['linear', 'cosine', 'sqrt_linear', 'sqrt'] as const;
const PARAMETERIZATIONS = ['eps', 'x0'] as const;

export interface ScheduleOptions {
  /** Length of the chain. Default 1000. */
  timesteps?: number;
  /** First and last beta of the schedules that have them. Default 0.0015 and 0.0195, as in the official latent models. */
  linearStart?: number;
  linearEnd?: number;
}

/** The tables of a model with these options. The network plays no part in them; it is as small as possible. */
async function tables(options: ScheduleOptions, params: Record<string, unknown>): Promise<Record<string, number[]>> {
  const { timesteps = 1000, linearStart = 0.0015, linearEnd = 0.0195 } = options;
  const network = { image_size: 8, in_channels: 3, out_channels: 3, model_channels: 32, channel_mult: [1] };
  const model = await DDPM.create({
    unet_config: {
      target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
      params: { ...network, attention_resolutions: [], num_res_blocks: 1, num_heads: 1 },
    },
    timesteps,
    linear_start: linearStart,
    linear_end: linearEnd,
    use_ema: false,
    ...params,
  } as Parameters<typeof DDPM.create>[0]);
  try {
    const schedule = await model.schedule();
    const entries = Object.entries(schedule).map(async ([name, tensor]) => {
      const values = Array.from((await tensor.data()) as Float32Array);
      tensor.dispose();
      return [name, values] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  } finally {
    model.dispose();
  }
}

const byTimestep = (name: string, values: readonly number[]): Series => ({
  name,
  points: values.map((value, t) => [t, value] as const),
});

/** How fast the four schedules replace the picture by noise. */
export async function schedulePanels(options: ScheduleOptions = {}): Promise<Panel[]> {
  const kept: Series[] = [];
  const betas: Series[] = [];
  for (const schedule of SCHEDULES) {
    const table = await tables(options, { beta_schedule: schedule });
    kept.push(byTimestep(schedule, table.sqrt_alphas_cumprod!));
    betas.push(byTimestep(schedule, table.betas!));
  }
  const xLabel = 'timestep t';
  return [
    { title: 'What is left of the picture: sqrt(alpha_bar_t)', xLabel, yLabel: 'factor of x_0 in x_t', series: kept },
    { title: 'Noise added in each step: beta_t', xLabel, yLabel: 'beta_t', logarithmic: true, series: betas },
  ];
}

/** The weight of each timestep in the variational bound, for models that predict the noise and that predict the picture. */
export async function boundPanels(options: ScheduleOptions = {}): Promise<Panel[]> {
  const panels: Panel[] = [];
  for (const parameterization of PARAMETERIZATIONS) {
    const series: Series[] = [];
    for (const schedule of SCHEDULES) {
      const table = await tables(options, { beta_schedule: schedule, parameterization });
      series.push(byTimestep(schedule, table.lvlb_weights!));
    }
    const predicted = parameterization === 'eps' ? 'the noise (eps)' : 'the picture (x0)';
    panels.push({
      title: `Variational weight of a step, model predicts ${predicted}`,
      xLabel: 'timestep t',
      yLabel: 'lvlb_weights[t]',
      logarithmic: parameterization === 'eps',
      series,
    });
  }
  return panels;
}
