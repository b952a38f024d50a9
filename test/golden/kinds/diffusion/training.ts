/** Training steps as the spec's `ldm_steps` runs them. */
import type { LatentDiffusion } from '../../../../lib/models';
import { createLrScheduler } from '../../../../lib/models/lr-schedulers';
import type { Tape } from '../../../../lib/random';
import type { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';
import { logged } from '../../runner/logged';
import { updates } from '../../runner/tables';
import { batchOf, outAll } from './common';

const TRACKED = [
  'model.diffusion_model.out.2.weight',
  'model.diffusion_model.out.2.bias',
  'model.diffusion_model.time_embed.0.bias',
  'cond_stage_model.embedding.weight',
  'logvar',
  'scale_factor',
  'model_ema.diffusion_modelout2weight',
  'model_ema.diffusion_modeltime_embed0bias',
  'model_ema.num_updates',
  'model_ema.decay',
];

/** What the updates tables show: float tensors without the schedule's and the first stage's. */
async function trained(model: LatentDiffusion): Promise<Map<string, Tensor>> {
  const schedule = new Set(Object.keys(await model.schedule()));
  return new Map(
    [...(await model.stateDict())].filter(
      ([name, tensor]) => tensor.dtype.startsWith('float') && !schedule.has(name) && !name.startsWith('first_stage'),
    ),
  );
}

/**
 * Trains on the batches number `first` to `last` of the case and reports every step's `step<i>.*`, i counting from 0.
 * The optimizer must be configured.
 */
export async function trainSteps(
  c: GoldenCase,
  model: LatentDiffusion,
  first: number,
  last: number,
  random: Tape,
): Promise<void> {
  const scheduler = model.schedulerConfig && createLrScheduler(model.schedulerConfig);
  await model.train();
  for (let globalStep = first; globalStep <= last; globalStep++) {
    const step = globalStep - first;
    const names = [`image${globalStep}_nhwc`, `class_label${globalStep}`].filter((name) => c.hasInput(name));
    const entries = Object.entries(batchOf(c, names)).map(([name, tensor]) => [name.replace(/\d+$/, ''), tensor]);
    const rate = c.meta.learning_rate * (scheduler?.schedule(globalStep) ?? 1);
    await model.setLearningRates([rate]);
    const before = new Map([...(await trained(model))].map(([name, tensor]) => [name, tensor.clone()]));
    const { log } = await model.trainBatch(
      { batch: Object.fromEntries(entries), batchIdx: step, globalStep, log: true, step: true, accumulate: 1 },
      { random },
    );
    await c.out(`step${step}.lr`, rate);
    await c.out(`step${step}.loss`, logged('train/loss', log['train/loss']));
    await outAll(c, `step${step}.log.`, log);
    const { names: rows, table } = await updates(before, await trained(model));
    await c.out(`step${step}.updates`, table);
    c.expectEqual(`step${step}.checksum_names`, rows, c.meta.checksum_names);
  }
  const state = await model.stateDict();
  for (const name of TRACKED) if (state.has(name)) await c.out(`after.${name}`, state.get(name)!);
  await random.finish();
}
