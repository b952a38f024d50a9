/** p_losses_*: the loss of given timesteps and noise, its logged parts and gradients, in training and evaluation mode. */
import { noGrad } from '../../../lib/job';
import { type DDPM, LatentDiffusion } from '../../../lib/models';
import type { GoldenCase, KindHandler } from '../runner/case';
import { detValues, outAll, put } from './diffusion/common';

const pLossesKind: KindHandler = async (c) => {
  const model = (await c.build()) as DDPM;
  const [xStart, noise, t] = ['x_start', 'noise', 't'].map((name) => c.input(name));
  const cond = model instanceof LatentDiffusion ? c.input('context') : null;
  await model.train();
  const learned = model.params.learn_logvar === true;
  if (learned) await put(model, { logvar: detValues(c, 'logvar_test', [model.numTimesteps]).mul(5) });

  const { loss, log } = await model.pLosses(xStart, t, { cond, noise });
  await c.out('loss', loss);
  await outAll(c, 'log.', log);
  await loss.backward();
  await gradients(c, model, learned);

  await model.eval();
  const evaluated = await noGrad(() => model.pLosses(xStart, t, { cond, noise }));
  await outAll(c, 'vallog.', evaluated.log);
};

async function gradients(c: GoldenCase, model: DDPM, learned: boolean): Promise<void> {
  const parameters = await model.namedParameters();
  const grad = async (name: string) => (await parameters.get(name)!.grad())!;
  await c.out('grad.out.2.weight', await grad('model.diffusion_model.out.2.weight'));
  await c.out('grad.time_embed.0.weight', (await grad('model.diffusion_model.time_embed.0.weight')).slice(0, 0, 8));
  if (!learned) return;
  await c.out('grad.logvar', await grad('logvar'));
  await c.out('logvar', parameters.get('logvar')!);
}

export default pLossesKind;
