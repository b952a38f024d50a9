/** train_*_3steps: three batches with two optimizers, dropout and posterior noise replayed. */
import type { TrainableAutoencoder } from '../../../lib/models/trainable-autoencoder';
import type { KindHandler } from '../runner/case';
import { ganSteps, reportAfter } from './gan/steps';

const trainGan: KindHandler = async (c) => {
  const random = c.tape();
  const model = (await c.build()) as TrainableAutoencoder;
  await model.configureOptimizers({ learningRate: c.meta.learning_rate });
  await ganSteps(c, model, [c.input('x0'), c.input('x1'), c.input('x2')], 0, random);
  await random.finish();
  await reportAfter(c, model, true);
};

export default trainGan;
