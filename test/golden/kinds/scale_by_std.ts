/** scale_by_std: the scale is measured on the first batch and never again. */
import type { LatentDiffusion } from '../../../lib/models';
import type { KindHandler } from '../runner/case';
import { batchOf } from './diffusion/common';

const scaleByStdKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  const batch = batchOf(c);
  const random = c.tape();
  const scale = async () => (await model.stateDict()).get('scale_factor')!;

  await c.out('before', await scale());
  await model.train();
  await model.onTrainBatchStart(batch, 0, 0, { random });
  await c.out('after', await scale());
  const z = await model.encodeFirstStage(batch.image.permute(0, 3, 1, 2), { random });
  await c.out('z_scaled', z);
  await c.out('decoded', await model.decodeFirstStage(z));
  await model.onTrainBatchStart(batch, 1, 1, { random });
  await c.out('after_second', await scale());
  await random.finish();
};

export default scaleByStdKind;
