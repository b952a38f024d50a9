/** log_images: every picture of LatentDiffusion.log_images. */
import type { LatentDiffusion } from '../../../lib/models';
import type { KindHandler } from '../runner/case';
import { batchOf, outAll } from './diffusion/common';

const logImagesKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  const random = c.tape();
  await outAll(c, '', await model.logImages(batchOf(c), { N: 2, n_row: 2, ddim_steps: 4, ddim_eta: 1, random }));
  await random.finish();
};

export default logImagesKind;
