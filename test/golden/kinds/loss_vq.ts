/** loss_vq_*: one turn of a VQ-GAN loss per run: loss, logged scalars, gradients. */
import { noGrad } from '../../../lib/job';
import { VQLPIPSWithDiscriminator } from '../../../lib/models/vq-lpips-with-discriminator';
import type { VQModel } from '../../../lib/models/vq-model';
import type { GoldenCase, KindHandler } from '../runner/case';
import { type LossRun, reportGradients, setMode } from './gan/loss-runs';

const GRADIENTS = [
  'encoder.conv_in.weight',
  'decoder.conv_out.weight',
  'quantize.embedding.weight',
  'quant_conv.weight',
];

const lossVq: KindHandler = async (c) => {
  for (const [tag, run] of Object.entries(c.meta.runs as Record<string, LossRun>)) await oneRun(c, `${tag}.`, run);
};

async function oneRun(c: GoldenCase, tag: string, run: LossRun): Promise<void> {
  const random = c.tape(tag);
  using model = (await c.build()) as VQModel;
  await setMode(model, run.mode);
  const criterion = new VQLPIPSWithDiscriminator((await model.getSubmodule('loss')).native);
  const graph = <T>(fn: () => Promise<T>): Promise<T> => (run.grad ? fn() : noGrad(fn));

  const x = c.input('x');
  const { reconstructions, loss: codebookLoss, indices } = await graph(() => model.forward(x, { random }));
  // Taming's loss, which has no n_classes, logs nothing of the indices.
  const args = {
    optimizerIdx: run.optimizer_idx,
    globalStep: run.global_step,
    split: run.split,
    lastLayer: await model.getLastLayer(),
    predictedIndices: indices,
  };
  const { loss, log } = await graph(() => criterion.forward(codebookLoss, x, reconstructions, args, { random }));
  await random.finish();

  await c.out(`${tag}rec`, reconstructions);
  await c.out(`${tag}loss`, loss);
  await c.out(`${tag}qloss`, codebookLoss);
  await c.out(`${tag}ind`, indices);
  for (const [name, value] of Object.entries(log)) await c.out(`${tag}log.${name}`, value);
  if (!run.grad) return;
  await loss.backward();
  await reportGradients(c, model, tag, GRADIENTS, (discriminator) => [discriminator.at(0)!, discriminator.at(-2)!]);
}

export default lossVq;
