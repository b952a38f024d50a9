/** loss_kl_*: one turn of the KL-GAN loss per run: loss, logged scalars, gradients, statistics of the discriminator. */
import { noGrad } from '../../../lib/job';
import type { AutoencoderKL } from '../../../lib/models/autoencoder-kl';
import { LPIPSWithDiscriminator } from '../../../lib/models/lpips-with-discriminator';
import type { GoldenCase, KindHandler } from '../runner/case';
import { type LossRun, reportDiscriminatorState, reportGradients, setMode } from './gan/loss-runs';

const GRADIENTS = [
  'encoder.conv_in.weight',
  'decoder.conv_out.weight',
  'decoder.conv_out.bias',
  'quant_conv.weight',
  'loss.logvar',
];

const lossKl: KindHandler = async (c) => {
  for (const [tag, run] of Object.entries(c.meta.runs as Record<string, LossRun>)) await oneRun(c, `${tag}.`, run);
};

async function oneRun(c: GoldenCase, tag: string, run: LossRun): Promise<void> {
  const random = c.tape(tag);
  using model = (await c.build()) as AutoencoderKL;
  await setMode(model, run.mode);
  const criterion = new LPIPSWithDiscriminator((await model.getSubmodule('loss')).native);
  const graph = <T>(fn: () => Promise<T>): Promise<T> => (run.grad ? fn() : noGrad(fn));

  const x = c.input('x');
  const { reconstructions, posterior } = await graph(() => model.forward(x, { random }));
  const args = {
    optimizerIdx: run.optimizer_idx,
    globalStep: run.global_step,
    split: run.split,
    lastLayer: await model.getLastLayer(),
    cond: c.hasInput('cond') ? c.input('cond') : undefined,
    weights: c.hasInput('weights') ? c.input('weights') : undefined,
  };
  const { loss, log } = await graph(() => criterion.forward(x, reconstructions, posterior, args, { random }));
  await random.finish();

  await c.out(`${tag}rec`, reconstructions);
  await c.out(`${tag}loss`, loss);
  for (const [name, value] of Object.entries(log)) await c.out(`${tag}log.${name}`, value);
  if (run.grad) {
    await loss.backward();
    await reportGradients(c, model, tag, GRADIENTS);
  }
  await reportDiscriminatorState(c, model, tag);
}

export default lossKl;
