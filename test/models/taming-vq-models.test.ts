import { noGrad } from '../../lib/job';
import { EMAVQ, GumbelVQ, TamingVQModel } from '../../lib/models';
import { Generator } from '../../lib/random';
import { changed, snapshot } from '../helpers/model-changes';
import { ddconfig, images, vqLoss } from '../helpers/tiny-autoencoder';

const lossconfig = vqLoss();
const params = { embed_dim: 4, n_embed: 8, ddconfig: ddconfig({ double_z: false, z_channels: 4 }), lossconfig };
const batch = { image: images([2, 16, 16, 3]) };
const step = (globalStep: number) => ({ batch, batchIdx: 0, globalStep, log: true, step: true, accumulate: 1 });
const random = () => new Generator(1);

async function trained<T extends TamingVQModel | GumbelVQ | EMAVQ>(model: T, globalStep = 0) {
  await model.train();
  await model.configureOptimizers({ learningRate: 1e-3 });
  const before = await snapshot(model);
  const { log } = await model.trainBatch(step(globalStep), { random: new Generator(2) });
  const names = (await changed(model, before)).filter((name) => name.startsWith('quantize.'));
  await model.eval();
  const { log: validated } = await model.validateBatch({ batch, batchIdx: 0, globalStep }, { random: random() });
  return { log, names, validated };
}

test('VQModel of taming logs the losses of both turns; it has no average', async () => {
  using model = await TamingVQModel.create(params, { random: random() });
  const { log, names, validated } = await trained(model);
  expect(log['train/aeloss']).toBe(log['train/total_loss']);
  expect(log['train/discloss']).toBe(log['train/disc_loss']);
  expect(names).toEqual(['quantize.embedding.weight']);
  expect(validated['val/aeloss']).toBe(validated['val/total_loss']);
  expect(Object.keys(validated).every((name) => name.startsWith('val/'))).toBe(true);
  await expect(TamingVQModel.create({ ...params, use_ema: true } as never)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
  });
});

test('GumbelVQ follows its temperature schedule', async () => {
  const schedule = { warm_up_steps: 0, lr_start: 1, lr_max: 0.9, lr_min: 0.1, max_decay_steps: 100 };
  using model = await GumbelVQ.create(
    {
      ...params,
      temperature_scheduler_config: { target: 'taming.lr_scheduler.LambdaWarmUpCosineScheduler', params: schedule },
    },
    { random: random() },
  );
  const keys = [...(await model.stateDict()).keys()].filter((name) => name.startsWith('quantize.'));
  expect(keys).toEqual(['quantize.proj.weight', 'quantize.proj.bias', 'quantize.embed.weight']);
  const { log, names, validated } = await trained(model, 50);
  expect(log.temperature).toBeCloseTo(0.5, 12);
  expect(names).toEqual(keys);
  expect(validated['val/rec_loss']).toBeGreaterThan(0);
  const { indices, quant } = await noGrad(() => model.encode(images([1, 3, 16, 16]), { random: random() }));
  expect([indices.shape, quant.shape]).toEqual([
    [1, 8, 8],
    [1, 4, 8, 8],
  ]);
});

test('EMAVQ leaves its codebook to the average: no optimizer has it', async () => {
  using model = await EMAVQ.create(params, { random: random() });
  const { names } = await trained(model);
  expect(names).toEqual([
    'quantize.embedding.weight',
    'quantize.embedding.cluster_size',
    'quantize.embedding.embed_avg',
  ]);
  const [{ param_groups: generator }] = await model.optimizerStates();
  const trainedTensors = [...(await model.namedParameters()).keys()].filter((name) => !/^(loss|quantize)\./.test(name));
  expect(generator[0].params).toHaveLength(trainedTensors.length);
});
