/** sd2_v: a model that predicts velocities. */
import type { LatentDiffusion } from '../../../../lib/models';
import { type DDIMSampleOptions, DDIMSampler } from '../../../../lib/sampling';
import { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';
import { commonSampling, reportLog } from './common';
import { imageToImage } from './samplers';

export async function velocityCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  await formulas(c, model);
  await loss(c, model);
  const guided: Omit<DDIMSampleOptions, 'steps'> = { unconditionalConditioning: c.input('uc') };
  await sample(c, model, 'ddim.', { eta: 0.7 });
  await sample(c, model, 'ddim_scale9.', { ...guided, unconditionalGuidanceScale: 9 });
  await sample(c, model, 'ddim_schedule.', { ...guided, unconditionalGuidanceScale: [1, 9, 4, 4, 2] });
  await imageToImage(c, model, 'img2img.', { scale: 5 });
}

async function formulas(c: GoldenCase, model: LatentDiffusion): Promise<void> {
  const [x0, noise, v, t] = ['x0', 'noise', 'v', 't'].map((name) => c.input(name));
  const { lvlb_weights } = await model.schedule();
  await c.out('formula.lvlb_weights', lvlb_weights);
  await c.out('formula.get_v', await model.getV(x0, noise, t));
  await c.out('formula.start', await model.predictStartFromV(x0, t, v));
  await c.out('formula.eps', await model.predictEpsFromV(x0, t, v));
}

async function loss(c: GoldenCase, model: LatentDiffusion): Promise<void> {
  await model.train();
  const { loss: value, log } = await model.pLosses(c.input('x0'), c.input('t'), {
    cond: c.input('c'),
    noise: c.input('noise'),
  });
  await value.backward();
  await model.eval();
  const parameters = await model.namedParameters();
  const gradient = async (name: string) => (await parameters.get(`model.diffusion_model.${name}.weight`)!.grad())!;
  await c.out('loss', value);
  await c.out('grad.out', await gradient('out.2'));
  await c.out('grad.proj_in', (await gradient('middle_block.1.proj_in')).slice(0, 0, 4));
  await reportLog(c, '', log);
}

async function sample(
  c: GoldenCase,
  model: LatentDiffusion,
  tag: string,
  options: Omit<DDIMSampleOptions, 'steps'>,
): Promise<void> {
  const random = c.tape(tag);
  const run = new DDIMSampler(model).sample({ ...commonSampling(c), steps: 5, ...options, random });
  const { samples, intermediates } = await run;
  await random.finish();
  await c.out(`${tag}samples`, samples);
  await c.out(`${tag}pred_x0`, Tensor.stack(intermediates.predX0));
}
