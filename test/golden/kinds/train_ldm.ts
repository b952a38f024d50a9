/** train_ldm_*: AdamW, learning-rate schedule, moving average and scale_by_std over the first batches. */
import type { LatentDiffusion } from '../../../lib/models';
import type { KindHandler } from '../runner/case';
import { trainSteps } from './diffusion/training';

const trainLdmKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  await model.configureOptimizers({ learningRate: c.meta.learning_rate });
  const batches = [...c.inputs().keys()].filter((name) => /^image\d+_nhwc$/.test(name)).length;
  await trainSteps(c, model, 0, batches - 1, c.tape());
};

export default trainLdmKind;
