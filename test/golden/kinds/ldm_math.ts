/** diffusion_math: the closed formulas over the schedule. */
import type { LatentDiffusion, NormalMoments } from '../../../lib/models';
import type { GoldenCase, KindHandler } from '../runner/case';

const ldmMathKind: KindHandler = async (c) => {
  const model = (await c.build(undefined, { fill: false })) as LatentDiffusion;
  const [x0, xt, noise, t] = ['x0', 'xt', 'noise', 't'].map((name) => c.input(name));
  await c.out('q_sample', await model.qSample(x0, t, noise));
  await c.out('predict_start', await model.predictStartFromNoise(xt, t, noise));
  await c.out('predict_eps', await model.predictEpsFromXstart(xt, t, x0));
  await c.out('prior_bpd', await model.priorBpd(x0));
  await moments(c, 'q_mean_variance', await model.qMeanVariance(x0, t));
  await moments(c, 'q_posterior', await model.qPosterior(x0, xt, t));
};

async function moments(c: GoldenCase, name: string, m: NormalMoments): Promise<void> {
  for (const [i, tensor] of [m.mean, m.variance, m.logVariance].entries()) await c.out(`${name}.${i}`, tensor);
}

export default ldmMathKind;
