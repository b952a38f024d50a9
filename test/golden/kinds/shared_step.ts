/** step_*: from a batch to latents, conditioning and loss, and a validation step. */
import { noGrad } from '../../../lib/job';
import type { LatentDiffusion } from '../../../lib/models';
import { Tensor } from '../../../lib/tensor';
import type { KindHandler } from '../runner/case';
import { batchOf, outAll } from './diffusion/common';

const sharedStepKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  const batch = batchOf(c);
  const random = c.tape();

  const input = await noGrad(() => model.getInput(batch, { forceEncode: true, reconstruct: true, random }));
  await c.out('z', input.z);
  await c.out('xrec', input.xrec!);
  if (input.c instanceof Tensor) await c.out('cond_encoded', input.c);
  const { loss, log } = await noGrad(() => model.sharedStep(batch, { random }));
  await c.out('loss', loss);
  await outAll(c, 'log.', log);
  if (model.params.use_ema) {
    const validation = await model.validateBatch({ batch, batchIdx: 0, globalStep: 0 }, { random });
    await outAll(c, 'validation_step.', validation.log);
  }
  await random.finish();
};

export default sharedStepKind;
