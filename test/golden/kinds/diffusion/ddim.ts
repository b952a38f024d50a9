/** The DDIM cases of kind `sampler`. */
import type { LatentDiffusion } from '../../../../lib/models';
import {
  type DDIMSampleOptions,
  type DDIMSampleResult,
  DDIMSampler,
  makeDdimTimesteps,
} from '../../../../lib/sampling';
import { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';

const SHAPE = [3, 8, 8];

/** Reports the samples and intermediates of a run. */
export async function reportRun(
  c: GoldenCase,
  tag: string,
  { samples, intermediates }: DDIMSampleResult,
): Promise<void> {
  await c.out(`${tag}samples`, samples);
  await c.out(`${tag}x_inter`, Tensor.stack(intermediates.xInter));
  await c.out(`${tag}pred_x0`, Tensor.stack(intermediates.predX0));
}

/** The options of each run of the case. */
function runs(c: GoldenCase): Record<string, DDIMSampleOptions> {
  const [mask, x0, uncond] = ['mask', 'x0', 'uncond'].map((name) => c.input(name));
  const guided = { unconditionalConditioning: uncond };
  // what the case calls Corr, with scale 0.8
  const scoreCorrector = { modifyScore: (eps: Tensor, { x }: { x: Tensor }) => eps.mul(0.8).add(x.mul(0.01)) };
  return {
    eta0: { steps: 10 },
    eta1: { steps: 10, eta: 1 },
    eta05_temp07: { steps: 5, eta: 0.5, temperature: 0.7 },
    S7: { steps: 7 },
    S1: { steps: 1 },
    eta1_noise_dropout: { steps: 4, eta: 1, noiseDropout: 0.3 },
    mask_eta0: { steps: 5, mask, x0 },
    mask_eta1: { steps: 5, eta: 1, mask, x0 },
    cfg3: { steps: 10, unconditionalGuidanceScale: 3, ...guided },
    cfg3_eta1: { steps: 4, eta: 1, unconditionalGuidanceScale: 3, ...guided },
    cfg1_ignored: { steps: 4, unconditionalGuidanceScale: 1, ...guided },
    quantize: { steps: 4, quantizeX0: true },
    corrector: { steps: 4, scoreCorrector },
    no_xT: { steps: 4, xT: null },
    subset_timesteps6: { steps: 10, timesteps: 6 },
  };
}

export async function ddimCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const sampler = new DDIMSampler(model);
  const common = { batchSize: 2, shape: SHAPE, conditioning: c.input('cond'), xT: c.input('x_T'), logEveryT: 2 };
  for (const [tag, options] of Object.entries(runs(c))) {
    const random = c.tape(`${tag}.`);
    await reportRun(c, `${tag}.`, await sampler.sample({ ...common, ...options, random }));
    await random.finish();
  }
  await singleStep(c, model);
}

/** One step in the middle of a run, with one noise for the whole batch. */
async function singleStep(c: GoldenCase, model: LatentDiffusion): Promise<void> {
  const tag = 'single_repeat_noise.';
  const timesteps = await makeDdimTimesteps('uniform', 10, model.numTimesteps);
  const random = c.tape(tag);
  // The step of index 4 is the first one of a run over the first five timesteps.
  const run = new DDIMSampler(model).sample({
    steps: 10,
    timesteps: 6,
    eta: 1,
    repeatNoise: true,
    batchSize: 2,
    shape: SHAPE,
    conditioning: c.input('cond'),
    xT: c.input('x_T'),
    random,
  });
  for await (const { t, x, predX0 } of run) {
    c.expectEqual(`${tag}t`, t, timesteps[4]);
    await c.out(`${tag}x_prev`, x);
    await c.out(`${tag}pred_x0`, predX0);
    break;
  }
  await random.finish();
}

export async function ddimX0Case(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const random = c.tape();
  const { samples } = await new DDIMSampler(model).sample({
    steps: 4,
    batchSize: 2,
    shape: SHAPE,
    conditioning: c.input('cond'),
    xT: c.input('x_T'),
    outputIsEps: true,
    random,
  });
  await c.out('samples', samples);
  await random.finish();
}
