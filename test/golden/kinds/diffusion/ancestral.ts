/** The cases of kind `sampler` about ancestral sampling. */
import type { DDPM, LatentDiffusion } from '../../../../lib/models';
import type { DDPMSampleOptions } from '../../../../lib/sampling';
import { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';

export async function ddpmCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const [xT, conditioning, x0, mask] = ['x_T', 'cond', 'x0', 'mask'].map((name) => c.input(name));
  const common = { batchSize: 2, shape: [3, 8, 8], conditioning };
  const run = async (tag: string, options: DDPMSampleOptions) => {
    const random = c.tape(`${tag}.`);
    const { samples, intermediates } = await model.sample({ ...common, ...options, random });
    await c.out(`${tag}.samples`, samples);
    await c.out(`${tag}.${options.progressive ? 'intermediates_x0' : 'intermediates'}`, Tensor.stack(intermediates));
    await random.finish();
  };
  await run('plain', { xT });
  await run('timesteps7', { xT, timesteps: 7 });
  await run('start_T5_log2', { xT, startT: 5, logEveryT: 2 });
  await run('mask', { xT, mask, x0 });
  await run('quantize', { xT, quantizeDenoised: true });
  await run('clip', { xT, clipDenoised: true });
  await run('prog', { xT, progressive: true });
  await run('prog_temp', { xT, progressive: true, temperature: 0.5, noiseDropout: 0.25 });
  await run('prog_mask_quant', { xT, progressive: true, mask, x0, quantizeDenoised: true });
  await run('sample_noxT', {});

  const random = c.tape('p_sample_t0_t7.');
  const t = Tensor.from([0, 7], [2], { dtype: 'int64', device: c.device });
  const step = await model.pSample(xT, t, { cond: conditioning, repeatNoise: true, random });
  await c.out('p_sample_t0_t7.x_prev', step.x);
  await c.out('p_sample_t0_t7.x0', step.x0);
  await random.finish();
}

export async function hybridCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const random = c.tape();
  const { samples } = await model.sample({
    batchSize: 2,
    shape: [3, 8, 8],
    xT: c.input('x_T'),
    conditioning: { c_concat: [c.input('concat')], c_crossattn: [c.input('cross')] },
    random,
  });
  await c.out('samples', samples);
  await random.finish();
}

export async function pixelCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as DDPM;
  const random = c.tape();
  const { samples, intermediates } = await model.sample({ batchSize: 2, random });
  await c.out('samples', samples);
  await c.out('intermediates', Tensor.stack(intermediates));
  await model.emaScope(async () => c.out('samples_ema', (await model.sample({ batchSize: 2, random })).samples));
  await random.finish();
}
