/** sd_unet: the U-Net with the options that came with Stable Diffusion 2. */
import { noGrad } from '../../../lib/job';
import type { UNetModel } from '../../../lib/models';
import type { KindHandler } from '../runner/case';
import { keyList } from '../runner/key-list';

const UNET = 'ldm.modules.diffusionmodules.openaimodel.UNetModel';

const sdUnet: KindHandler = async (c) => {
  const variants: Record<string, { params: Record<string, unknown>; y: string | null }> = c.meta.variants;
  for (const [tag, { params, y }] of Object.entries(variants)) {
    const unet = (await c.build({ target: UNET, params }, { fill: false })) as UNetModel;
    await c.fillDet(unet, `${tag}.`);
    c.expectEqual(`keys of ${tag}`, await keyList(unet), c.meta.keys![tag]);
    const conditions = { context: c.input('context'), y: y === null ? undefined : c.input(y) };
    await c.out(`${tag}.out`, await noGrad(() => unet.forward(c.input('x'), c.input('t'), conditions)));
  }
};

export default sdUnet;
