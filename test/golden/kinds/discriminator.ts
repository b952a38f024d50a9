/** discriminator: every depth, in evaluation and twice in training mode, with what training changes in its norms. */
import { noGrad } from '../../../lib/job';
import { NLayerDiscriminator } from '../../../lib/models/n-layer-discriminator';
import type { KindHandler } from '../runner/case';

const VARIANTS = {
  n3: { n_layers: 3 },
  n2: { n_layers: 2 },
  n1: { n_layers: 1 },
  n0: { n_layers: 0 },
  ndf16_n3: { n_layers: 3, ndf: 16 },
  actnorm_n2: { n_layers: 2, use_actnorm: true },
};
/** What may change in a forward pass: statistics, and ActNorm's parameters with its first batch. */
const CHANGING = ['running', 'num_batches', 'initialized', '.loc', '.scale'];

const discriminatorKind: KindHandler = async (c) => {
  const x = c.input('x');
  for (const [tag, params] of Object.entries(VARIANTS)) {
    const d = c.keep(await NLayerDiscriminator.create(params, { device: c.device, init: 'empty' }));
    await c.fillDet(d, 'loss.discriminator.');
    const keys = [...(await d.stateDict())].map(([name, t]) => [name, [t.dtype, t.shape]]);
    c.expectEqual(`${tag}.keys`, Object.fromEntries(keys), c.meta.keys![tag]);

    await d.eval();
    await c.out(`${tag}.eval`, await noGrad(() => d.forward(x)));
    await d.train();
    await c.out(`${tag}.train1`, await noGrad(() => d.forward(x)));
    await c.out(`${tag}.train2`, await noGrad(() => d.forward(x.flip(0).mul(0.5))));
    for (const [name, tensor] of await d.stateDict())
      if (CHANGING.some((part) => name.includes(part))) await c.out(`${tag}.after.${name}`, tensor);
  }
};

export default discriminatorKind;
