/** resume_ldm: one more step from a Lightning checkpoint with the states of optimizer, schedule and moving average. */
import type { LatentDiffusion } from '../../../lib/models';
import type { KindHandler } from '../runner/case';
import { trainSteps } from './diffusion/training';

const resumeLdmKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  await model.configureOptimizers({ learningRate: c.meta.learning_rate });
  const { optimizerStates, globalStep } = await c.checkpoint();
  await model.loadOptimizerStates(optimizerStates);
  await trainSteps(c, model, globalStep!, globalStep!, c.tape());
};

export default resumeLdmKind;
