/** official_unet_*: one evaluation of an official U-Net. */

import { noGrad } from '../../../../lib/job';
import type { UNetModel } from '../../../../lib/models/unet-model';
import type { KindHandler } from '../../runner/case';

const officialUnet: KindHandler = async (c) => {
  const unet = (await c.build(c.model!.params!.unet_config, { prefix: 'model.diffusion_model.' })) as UNetModel;
  const context = c.hasInput('context') ? c.input('context') : undefined;
  await c.out('eps', await noGrad(() => unet.forward(c.input('x'), c.input('t'), { context })));
};

export default officialUnet;
