/** dist_gaussian: the diagonal Gaussian, random and deterministic, and the free function normal_kl. */
import { DiagonalGaussianDistribution, normalKl } from '../../../lib/models/diagonal-gaussian-distribution';
import { Tensor } from '../../../lib/tensor';
import type { KindHandler } from '../runner/case';

const distribution: KindHandler = async (c) => {
  const random = c.tape();
  const sample = c.input('sample');
  const p = c.keep(await DiagonalGaussianDistribution.create(c.input('params')));
  const q = c.keep(await DiagonalGaussianDistribution.create(c.input('other')));
  const det = c.keep(await DiagonalGaussianDistribution.create(c.input('params'), { deterministic: true }));
  const pf = await p.fields();
  const qf = await q.fields();

  for (const name of ['mean', 'logvar', 'std', 'var'] as const) await c.out(name, pf[name]);
  await c.out('sample', await p.sample({ random }));
  await c.out('mode', await p.mode());
  await c.out('kl', await p.kl());
  await c.out('kl_other', await p.kl(q));
  await c.out('nll', await p.nll(sample));
  await c.out('nll_dims23', await p.nll(sample, [2, 3]));

  const df = await det.fields();
  await c.out('det_sample', await det.sample({ random }));
  await c.out('det_std', df.std);
  await c.out('det_var', df.var);
  await c.out('det_kl', await det.kl());
  await c.out('det_nll', await det.nll(sample));

  const zero = Tensor.zeros([], { device: c.device });
  await c.out('normal_kl', await normalKl(pf.mean, pf.logvar, qf.mean, qf.logvar));
  await c.out('normal_kl_scalar', await normalKl(pf.mean, pf.logvar, zero, zero));
  await random.finish();
};

export default distribution;
