/** vq_*: the VQ models, each as its class is used. */
import { VQModel } from '../../../lib/models/vq-model';
import { VQModelInterface } from '../../../lib/models/vq-model-interface';
import type { KindHandler } from '../runner/case';
import { averagedSegmentation } from './vq/averaged-segmentation';
import { vqInterface } from './vq/interface';
import { vqModel } from './vq/model';

const vq: KindHandler = async (c) => {
  const random = c.tape();
  const model = await c.build(undefined, { tape: random });
  await random.finish();
  if (model instanceof VQModelInterface) return vqInterface(c, model);
  if (!(model instanceof VQModel))
    throw new Error(`Expected a VQ model but the config makes a ${model.constructor.name}`);
  return c.hasInput('segmentation_nhwc') ? averagedSegmentation(c, model) : vqModel(c, model);
};

export default vq;
