/** Checkpoints of training have the structure that Lightning 1.4 writes, to the types of numbers. */
import fs from 'node:fs';
import path from 'node:path';
import type { Config } from '../../lib/config';
import { TrainingRun } from '../../lib/training/training-run';
import type { TestFolder } from '../data/folders';
import { type Dict, Float, pythonView, TensorView } from '../helpers/python-view';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion } from './tiny';

let images: TestFolder;
let logdir: string;
beforeAll(async () => {
  images = await tinyImages();
  logdir = temporary();
});
afterAll(() => {
  images.remove();
  fs.rmSync(logdir, { recursive: true });
});

/** Trains for some steps. Four batches are an epoch. */
async function trained(base: Config, name: string, maxSteps: number) {
  using run = await TrainingRun.prepare({ base, name, logdir, maxSteps });
  await run.fit();
  const keys = [...(await run.model.stateDict()).keys()];
  const { checkpoints } = run.folder;
  return { checkpoints, keys, ...pythonView(path.join(checkpoints, 'last.ckpt')) };
}

const ENTRIES = [
  'epoch',
  'global_step',
  'pytorch-lightning_version',
  'state_dict',
  'callbacks',
  'optimizer_states',
  'lr_schedulers',
  'node_ldm',
];
/** What torch.load(weights_only=True) allows, as far as it is needed. */
const GLOBALS = [
  'collections.OrderedDict',
  'torch.ByteStorage',
  'torch.FloatStorage',
  'torch.IntStorage',
  'torch.LongStorage',
  'torch._utils._rebuild_tensor_v2',
];

it('of an autoencoder and its discriminator', async () => {
  const { root, globals, keys, checkpoints } = await trained(tinyAutoencoder(images.root), 'ae', 4);
  expect(root.keys).toEqual(ENTRIES);
  expect([root.get('epoch'), root.get('global_step'), root.get('pytorch-lightning_version')]).toEqual([1, 4, '1.4.2']);
  expect(GLOBALS).toEqual(expect.arrayContaining(globals));

  const state: Dict = root.get('state_dict');
  expect([state.type, state.keys]).toEqual(['OrderedDict', keys]);
  const metadata: Dict = state.attributes!.get('_metadata');
  expect(metadata.type).toBe('OrderedDict');
  expect(metadata.keys.slice(0, 4)).toEqual(['', 'encoder', 'encoder.conv_in', 'encoder.down']);
  expect(metadata.get('encoder.conv_in').get('version')).toBe(1);
  const tensors = state.items as Map<string, TensorView>;
  expect(tensors.get('loss.logvar')).toEqual(new TensorView('torch.FloatStorage', expect.any(String), [], []));

  const [first, second] = root.get('optimizer_states') as Dict[];
  const groups = [first, second].map((optimizer) => optimizer.get('param_groups')[0] as Dict);
  for (const group of groups) {
    expect(group.keys).toEqual(['lr', 'betas', 'eps', 'weight_decay', 'amsgrad', 'params']);
    expect([group.get('lr'), group.get('betas'), group.get('eps'), group.get('weight_decay')]).toEqual([
      new Float(2e-4),
      [new Float(0.5), new Float(0.9)],
      new Float(1e-8),
      new Float(0),
    ]);
    expect(group.get('params')).toEqual(group.get('params').map((_: unknown, i: number) => i));
  }
  expect(first.get('state').keys).toEqual(groups[0].get('params'));
  const moments: Dict = second.get('state').get(0);
  expect(moments.keys).toEqual(['step', 'exp_avg', 'exp_avg_sq']);
  expect(moments.get('exp_avg').shape).toEqual(tensors.get('loss.discriminator.main.0.weight')!.shape);
  // AutoencoderKL has no schedule.
  expect(root.get('lr_schedulers')).toEqual([]);

  const key =
    "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1, 'train_time_interval': None}";
  const callbacks: Dict = root.get('callbacks');
  expect(callbacks.keys).toEqual([key]);
  expect(callbacks.get(key).keys.slice(0, 5)).toEqual([
    'monitor',
    'best_model_score',
    'best_model_path',
    'current_score',
    'dirpath',
  ]);
  expect(callbacks.get(key).get('best_model_path')).toBe(path.join(checkpoints, 'epoch=000000.ckpt'));
});

it('of a diffusion model with a schedule, an average and a scale', async () => {
  const modelcheckpoint = { params: { save_weights_only: true, every_n_train_steps: 2, save_last: false } };
  const base = tinyLatentDiffusion(images.root, { modelcheckpoint });
  const { root, keys, checkpoints } = await trained(base, 'ldm', 3);
  // In the middle of an epoch Lightning stores the next one.
  expect([root.get('epoch'), root.get('global_step')]).toEqual([1, 3]);
  const state: Dict = root.get('state_dict');
  expect(state.keys).toEqual(keys);
  expect(keys).toEqual(expect.arrayContaining(['scale_factor', 'model_ema.decay', 'model_ema.num_updates']));
  expect(state.get('model_ema.num_updates')).toMatchObject({ storage: 'torch.IntStorage', shape: [] });

  const [optimizer] = root.get('optimizer_states') as Dict[];
  const group: Dict = optimizer.get('param_groups')[0];
  expect(group.keys).toEqual(['lr', 'betas', 'eps', 'weight_decay', 'amsgrad', 'initial_lr', 'params']);
  // The warm-up of three steps is over: the rate of the next step.
  expect((group.get('lr') as Float).value / 2e-4).toBeCloseTo(0.5 + (0.5 * (100 - 3)) / 100, 9);
  expect([group.get('initial_lr'), group.get('weight_decay')]).toEqual([new Float(2e-4), new Float(0.01)]);
  const [schedule] = root.get('lr_schedulers') as Dict[];
  expect(schedule.keys).toEqual([
    'base_lrs',
    'last_epoch',
    'verbose',
    '_step_count',
    '_get_lr_called_within_step',
    '_last_lr',
    'lr_lambdas',
  ]);
  expect([schedule.get('base_lrs'), schedule.get('last_epoch'), schedule.get('_step_count')]).toEqual([
    [new Float(2e-4)],
    3,
    4,
  ]);
  expect(schedule.get('_last_lr')).toEqual([group.get('lr')]);
  expect((schedule.get('lr_lambdas') as Dict[]).map((lambda) => lambda.keys)).toEqual([[]]);

  const weights = pythonView(path.join(checkpoints, 'epoch=000000.ckpt'));
  expect(weights.root.keys).toEqual(ENTRIES.slice(0, 4));
  expect([weights.root.get('epoch'), weights.root.get('global_step')]).toEqual([1, 2]);
});

it('stores tied weights once', async () => {
  const base = tinyLatentDiffusion(images.root);
  const values = structuredClone(base.values) as any;
  const { params } = values.model;
  params.cond_stage_config = '__is_first_stage__';
  Object.assign(params, {
    cond_stage_key: 'image',
    conditioning_key: 'concat',
    concat_mode: true,
    cond_stage_trainable: false,
  });
  Object.assign(params.unet_config.params, { in_channels: 4, use_spatial_transformer: false, context_dim: null });
  const { Config } = await import('../../lib/config');
  const { root } = await trained(Config.from(values), 'tied', 1);
  const state = root.get('state_dict').items as Map<string, TensorView>;
  const [a, b] = ['first_stage_model', 'cond_stage_model'].map(
    (stage) => state.get(`${stage}.encoder.conv_in.weight`)!,
  );
  expect(a).toEqual(b);
  expect(new Set([...state.values()].map((tensor) => tensor.key)).size).toBeLessThan(state.size);
});
