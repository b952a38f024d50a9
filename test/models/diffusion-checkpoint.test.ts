import path from 'node:path';
import { readCheckpoint, writeCheckpoint } from '../../lib/checkpoint';
import type { DDPM } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { tinyDdpm, tinyLatentDiffusion } from '../helpers/tiny-diffusion';

const folder = useTempFolder();
const numbers = async (t: Tensor) => [...(await t.data())].map(Number);
const weight = async (model: DDPM, name: string) => numbers((await model.stateDict()).get(name)!);
const OUT = 'model.diffusion_model.out.2.weight';

/** Multiplies a tensor of a state, so that it can be told from a fresh one. */
async function changed(model: DDPM, name: string, factor: number): Promise<Map<string, Tensor>> {
  const state = new Map(await model.stateDict());
  return state.set(name, state.get(name)!.mul(factor));
}

test('ckpt_path loads weights, but the schedule is the config’s', async () => {
  const file = path.join(folder(), 'ddpm.ckpt');
  const source = await tinyDdpm({ timesteps: 6 });
  await writeCheckpoint(file, { state_dict: await changed(source, 'model.diffusion_model.input_blocks.0.0.bias', 3) });
  const loaded = await tinyDdpm({ timesteps: 4, ckpt_path: file });
  expect(await weight(loaded, 'model.diffusion_model.input_blocks.0.0.bias')).toEqual(
    (await weight(source, 'model.diffusion_model.input_blocks.0.0.bias')).map((x) => Math.fround(x * 3)),
  );
  expect(loaded.numTimesteps).toBe(4);
  expect((await weight(loaded, 'betas')).length).toBe(4);
  await Promise.all([source.close(), loaded.close()]);
});

test('ignoreKeys leaves prefixes out; onlyModel reads the U-Net alone', async () => {
  const file = path.join(folder(), 'parts.ckpt');
  const source = await tinyLatentDiffusion({ use_ema: false });
  const state = await changed(source, 'cond_stage_model.embedding.weight', 2);
  state.set(OUT, state.get(OUT)!.mul(2));
  await writeCheckpoint(file, { state_dict: state });
  const target = await tinyLatentDiffusion({ use_ema: false });
  const fresh = await weight(target, 'cond_stage_model.embedding.weight');

  const ignored = await target.initFromCkpt(file, { ignoreKeys: ['model.'] });
  expect(ignored.missing).toContain(OUT);
  expect(await weight(target, OUT)).toEqual(await weight(source, OUT));
  expect(await weight(target, 'cond_stage_model.embedding.weight')).toEqual(fresh.map((x) => Math.fround(x * 2)));

  const other = await tinyLatentDiffusion({ use_ema: false });
  await other.initFromCkpt(file, { onlyModel: true });
  expect(await weight(other, OUT)).toEqual((await weight(source, OUT)).map((x) => Math.fround(x * 2)));
  expect(await weight(other, 'cond_stage_model.embedding.weight')).toEqual(fresh);
  await Promise.all([source.close(), target.close(), other.close()]);
});

test('the scale of a checkpoint is not measured again', async () => {
  const file = path.join(folder(), 'scaled.ckpt');
  const params = { scale_by_std: true, use_ema: false };
  const source = await tinyLatentDiffusion(params);
  const image = Tensor.randn([2, 8, 8, 3], { seed: 1 }).mul(3);
  await source.onTrainBatchStart({ image }, 0, 0);
  await writeCheckpoint(file, { state_dict: await source.stateDict() });
  const loaded = await tinyLatentDiffusion({ ...params, ckpt_path: file });
  await loaded.onTrainBatchStart({ image: image.mul(2) }, 0, 0);
  expect(await weight(loaded, 'scale_factor')).toEqual(await weight(source, 'scale_factor'));
  await Promise.all([source.close(), loaded.close()]);
});

test('training continues from a checkpoint as if it had not stopped', async () => {
  const file = path.join(folder(), 'resume.ckpt');
  const batch = {
    image: Tensor.randn([2, 8, 8, 3], { seed: 1 }),
    class_label: Tensor.from([0, 3], [2], { dtype: 'int64' }),
  };
  const steps = async (model: DDPM, first: number, last: number) => {
    for (let i = first; i <= last; i++)
      await model.trainBatch(
        { batch, batchIdx: i, globalStep: i, log: false, step: true, accumulate: 1 },
        { random: new Generator(i) },
      );
  };
  const whole = await tinyLatentDiffusion({ learn_logvar: true });
  await whole.train();
  await whole.configureOptimizers({ learningRate: 1e-3 });
  await steps(whole, 0, 1);
  await writeCheckpoint(file, {
    state_dict: await whole.stateDict(),
    optimizer_states: await whole.optimizerStates(),
    global_step: 2,
  });
  await steps(whole, 2, 3);

  const resumed = await tinyLatentDiffusion({ learn_logvar: true });
  await resumed.train();
  using checkpoint = await readCheckpoint(file);
  await resumed.loadStateDict(checkpoint.stateDict);
  await resumed.configureOptimizers({ learningRate: 1e-3 });
  await resumed.loadOptimizerStates(checkpoint.optimizerStates);
  await steps(resumed, 2, 3);
  for (const name of [OUT, 'logvar', 'cond_stage_model.embedding.weight', 'model_ema.diffusion_modelout2weight']) {
    const expected = await weight(whole, name);
    for (const [i, value] of (await weight(resumed, name)).entries()) expect(value).toBeCloseTo(expected[i], 6);
  }
  await Promise.all([whole.close(), resumed.close()]);
});
