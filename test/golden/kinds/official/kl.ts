/** official_kl_*: moments and reconstruction of an official KL first stage. */
import { noGrad } from '../../../../lib/job';
import type { AutoencoderKL } from '../../../../lib/models/autoencoder-kl';
import type { KindHandler } from '../../runner/case';
import { firstStageNode } from './first-stage';

const officialKl: KindHandler = async (c) => {
  const model = (await c.build(firstStageNode(c))) as AutoencoderKL;
  const posterior = await noGrad(() => model.encode(c.input('x')));
  const latent = await posterior.mode();
  await c.out('moments', (await posterior.fields()).parameters);
  await c.out('decode_mode', await noGrad(() => model.decode(latent)));
};

export default officialKl;
