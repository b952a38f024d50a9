/** schedules: beta schedules, the buffers of register_schedule, DDIM's steps and coefficients. */
import type { DDPM } from '../../../lib/models';
import {
  betasForAlphaBar,
  makeBetaSchedule,
  makeDdimSamplingParameters,
  makeDdimTimesteps,
} from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import type { GoldenCase, KindHandler } from '../runner/case';

const UNET = {
  target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
  params: {
    image_size: 8,
    in_channels: 4,
    out_channels: 4,
    model_channels: 32,
    attention_resolutions: [],
    num_res_blocks: 1,
    channel_mult: [1],
    num_heads: 1,
    use_scale_shift_norm: true,
  },
};

const scheduleKind: KindHandler = async (c) => {
  await betas(c);
  const alphasCumprod = await buffers(c);
  await ddim(c, alphasCumprod);
  const alphaBar = (time: number) => Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  await c.out('betas_for_alpha_bar', betasForAlphaBar(12, alphaBar));
};

async function betas(c: GoldenCase): Promise<void> {
  for (const schedule of ['linear', 'cosine', 'sqrt_linear', 'sqrt'] as const) {
    for (const [n, linearStart, linearEnd] of [
      [1000, 1e-4, 2e-2],
      [50, 0.0015, 0.0195],
    ]) {
      const all = await makeBetaSchedule(schedule, n, { linearStart, linearEnd });
      if (schedule === 'linear' && n === 1000) await c.out('linear.1000.betas64', all);
      await c.out(`${schedule}.${n}.betas64_head_tail`, Tensor.cat([all.slice(0, 0, 8), all.slice(0, n - 8, n)]));
    }
  }
}

/** Returns the alpha_bar of the default schedule. */
async function buffers(c: GoldenCase): Promise<Tensor> {
  let last: Tensor | undefined;
  for (const [tag, kw] of Object.entries(c.meta.register as Record<string, Record<string, unknown>>)) {
    const given = kw.given_betas === undefined ? {} : { given_betas: [...(await c.input('given_betas').data())] };
    const params = { ...kw, ...given, unet_config: UNET, use_ema: false };
    const model = (await c.build({ target: 'ldm.models.diffusion.ddpm.DDPM', params }, { fill: false })) as DDPM;
    for (const [name, tensor] of Object.entries(await model.schedule())) {
      await c.out(`${tag}.${name}`, tensor);
      if (tag === 'linear_1000_default' && name === 'alphas_cumprod') last = tensor;
    }
  }
  return last!;
}

async function ddim(c: GoldenCase, alphasCumprod: Tensor): Promise<void> {
  for (const [method, steps] of [
    ['uniform', 20],
    ['uniform', 30],
    ['uniform', 7],
    ['quad', 10],
    ['quad', 50],
  ] as const) {
    const tag = `ddim.${method}.${steps}`;
    const timesteps = await makeDdimTimesteps(method, steps, 1000);
    await c.out(`${tag}.timesteps`, timesteps);
    for (const eta of [0, 0.5, 1]) {
      const p = await makeDdimSamplingParameters(alphasCumprod, timesteps, eta);
      await c.out(`${tag}.eta${eta.toFixed(1)}.sigmas`, p.sigmas);
      if (eta > 0) continue;
      await c.out(`${tag}.alphas`, p.alphas);
      await c.out(`${tag}.alphas_prev`, p.alphasPrev);
      await c.out(`${tag}.sqrt_one_minus_alphas`, p.alphas.mul(-1).add(1).sqrt());
    }
  }
  for (const [steps, expected] of Object.entries(c.meta.ddim_uniform_1000 as Record<string, any>)) {
    const timesteps = await makeDdimTimesteps('uniform', Number(steps), 1000);
    const found = { n: timesteps.length, first: timesteps[0], last: timesteps[timesteps.length - 1] };
    const { n, first, last, ok } = expected;
    // Where the reference overflows, the last step is the last timestep instead.
    if (ok) c.expectEqual(`ddim_uniform_1000.${steps}`, found, { n, first, last });
    else c.expectEqual(`ddim_uniform_1000.${steps}`, [found.first, found.last], [first, 999]);
  }
}

export default scheduleKind;
