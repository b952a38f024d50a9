/** lpips: features, distance (also of odd sizes and with dropout) and its gradient. */
import { noGrad } from '../../../lib/job';
import { LPIPS } from '../../../lib/models/lpips';
import type { KindHandler } from '../runner/case';

const lpipsKind: KindHandler = async (c) => {
  const lpips = c.keep(await LPIPS.create({}, { device: c.device, init: 'empty' }));
  await c.fillDet(lpips, 'loss.perceptual_loss.');
  await lpips.eval();
  const [x, y] = [c.input('x'), c.input('y')];

  const features = await noGrad(() => lpips.features(x));
  for (const [i, feature] of features.entries()) {
    using wide = feature.to({ dtype: 'float64' });
    using sum = wide.sum([2, 3]);
    await c.out(`feat${i}_sum`, sum.to({ dtype: 'float32' }));
  }
  await c.out('value', await noGrad(() => lpips.forward(x, y)));
  await c.out('value_odd', await noGrad(() => lpips.forward(c.input('x2'), c.input('y2'))));

  const leaf = y.clone().requiresGrad_(true);
  await (await lpips.forward(x, leaf)).sum().backward();
  await c.out('dvalue_dy', (await leaf.grad())!);

  await lpips.train();
  const random = c.tape();
  const first = (name: string) => c.input(name).slice(0, 0, 1);
  await c.out('value_train_dropout', await noGrad(() => lpips.forward(first('x'), first('y'), { random })));
  await random.finish();
};

export default lpipsKind;
