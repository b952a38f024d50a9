/** resume_*: the fourth batch, with the optimizer states of a Lightning checkpoint. */
import type { TrainableAutoencoder } from '../../../lib/models/trainable-autoencoder';
import type { KindHandler } from '../runner/case';
import { ganSteps, reportAfter } from './gan/steps';

const resumeGan: KindHandler = async (c) => {
  const random = c.tape();
  const model = (await c.build()) as TrainableAutoencoder;
  const { globalStep, optimizerStates } = await c.checkpoint();
  await model.configureOptimizers({ learningRate: c.meta.learning_rate });
  await model.loadOptimizerStates(optimizerStates);
  await ganSteps(c, model, [c.input('x3')], globalStep!, random);
  await random.finish();
  await reportAfter(c, model, false);
};

export default resumeGan;
