/** unet_encoder_pools: the noisy classifier with each kind of pooling. */
import { noGrad } from '../../../lib/job';
import type { EncoderUNetModel } from '../../../lib/models/encoder-unet-model';
import type { KindHandler } from '../runner/case';

const unetEncoder: KindHandler = async (c) => {
  for (const pool of ['adaptive', 'attention', 'spatial', 'spatial_v2']) {
    const node = {
      target: 'ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel',
      params: {
        image_size: 8,
        in_channels: 4,
        model_channels: 32,
        out_channels: 6,
        num_res_blocks: 1,
        attention_resolutions: [2],
        channel_mult: [1, 1],
        num_head_channels: 16,
        pool,
      },
    };
    const classifier = (await c.build(node, { fill: false })) as EncoderUNetModel;
    await c.fillDet(classifier, `enc.${pool}.`);
    c.expectEqual(`keys of ${pool}`, await shapes(classifier), c.meta.keys![pool]);
    await c.out(`${pool}.logits`, await noGrad(() => classifier.forward(c.input('x'), c.input('t'))));
  }
};

async function shapes(module: EncoderUNetModel): Promise<Record<string, number[]>> {
  return Object.fromEntries([...(await module.stateDict())].map(([name, tensor]) => [name, tensor.shape]));
}

export default unetEncoder;
