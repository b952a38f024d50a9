/** official_vq_*: latent, codes and reconstruction of an official VQ first stage, as latent diffusion uses it. */
import { noGrad } from '../../../../lib/job';
import { VQModelInterface } from '../../../../lib/models/vq-model-interface';
import type { KindHandler } from '../../runner/case';
import { firstStageNode } from './first-stage';

const officialVq: KindHandler = async (c) => {
  const node = { ...firstStageNode(c), target: VQModelInterface.target };
  const model = (await c.build(node)) as VQModelInterface;
  const h = await noGrad(() => model.encode(c.input('x')));
  await c.out('prequant', h);
  const { loss, indices } = await noGrad(() => model.quantize(h));
  await c.out('emb_loss', loss);
  await c.out('indices', indices);
  await c.out('decode_not_quantized', await noGrad(() => model.decode(h, { forceNotQuantize: true })));
};

export default officialVq;
