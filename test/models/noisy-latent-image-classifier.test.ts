import fs from 'node:fs';
import path from 'node:path';
import { writeCheckpoint } from '../../lib/checkpoint';
import { toYaml } from '../../lib/config';
import { noGrad } from '../../lib/job';
import { NoisyLatentImageClassifier } from '../../lib/models';
import { Generator } from '../../lib/random';
import { DDIMSampler } from '../../lib/sampling';
import { Tensor } from '../../lib/tensor';
import { Trainable } from '../../lib/training/trainable';
import { useTempFolder } from '../helpers/temp-folder';
import { ddconfig, difference, IDENTITY, images, numbers } from '../helpers/tiny-autoencoder';
import { tinyUnet } from '../helpers/tiny-diffusion';

const folder = useTempFolder();

/** The log folder of a diffusion model: its config, of which the classifier makes its own. */
function logFolder(overrides: Record<string, unknown> = {}, unet: Record<string, unknown> = {}): string {
  const root = fs.mkdtempSync(path.join(folder(), 'log-'));
  fs.mkdirSync(path.join(root, 'configs'));
  const first = { embed_dim: 3, ddconfig: ddconfig({ z_channels: 3 }), lossconfig: IDENTITY };
  const model = {
    base_learning_rate: 1e-4,
    target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
    params: {
      unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 16, num_head_channels: 32, ...unet }),
      first_stage_config: { target: 'ldm.models.autoencoder.AutoencoderKL', params: first },
      cond_stage_config: {
        target: 'ldm.modules.encoders.modules.ClassEmbedder',
        params: { n_classes: 6, embed_dim: 16, key: 'class_label' },
      },
      conditioning_key: 'crossattn',
      cond_stage_key: 'class_label',
      timesteps: 10,
      log_every_t: 4,
      image_size: 8,
      ...overrides,
    },
  };
  fs.writeFileSync(path.join(root, 'configs', '2022-01-09T00-00-00-project.yaml'), 'model: {}\n');
  fs.writeFileSync(path.join(root, 'configs', '2022-01-10T00-00-00-project.yaml'), toYaml({ model }));
  return root;
}

const create = (diffusion_path: string, params: Record<string, unknown> = {}) =>
  NoisyLatentImageClassifier.create({ diffusion_path, num_classes: 6, ...params }, { random: new Generator(1) });

/** Two kinds of images: bright on the left, and bright on the right. */
function batch() {
  const side = Tensor.from(Float32Array.of(1, -1, 1, -1), [4, 1, 1, 1]);
  const ramp = Tensor.from(
    Float32Array.from({ length: 8 }, (_, i) => i / 3.5 - 1),
    [1, 1, 8, 1],
  );
  return {
    image: images([4, 8, 8, 3]).mul(0.2).add(side.mul(ramp)),
    class_label: Tensor.from(BigInt64Array.of(2n, 5n, 2n, 5n)),
    human_label: ['right', 'left', 'right', 'left'],
  };
}

const PIXELS = { first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} } };

test('trains on the latents of a frozen diffusion model until it knows the classes', async () => {
  using model = await create(logFolder(PIXELS), { weight_decay: 0 });
  const { params } = model;
  expect([params.pool, params.monitor, model.labelKey]).toEqual(['attention', 'val/loss', 'class_label']);
  const trainable = new Trainable(model);
  expect(await trainable.configureOptimizers(2e-3)).toEqual([2e-3]);
  await model.train();
  const before = await frozen(model);
  const random = new Generator(3);
  const at = { batch: batch(), batchIdx: 0, globalStep: 0, log: true, step: true, accumulate: 1 };
  const logs = [];
  for (let i = 0; i < 40; i++) logs.push((await trainable.trainBatch(at, { random })).log);
  expect(Object.keys(logs[0])).toEqual(['train/loss', 'train/acc@1', 'train/acc@5', 'lr_abs']);
  expect(logs[0]['train/loss']).toBeGreaterThan(1);
  expect(await frozen(model)).toBe(before);

  await model.eval();
  const validation = await trainable.validateBatch({ batch: batch(), batchIdx: 0, globalStep: 40 }, { random });
  // Random timesteps and each of 0, 4, 8 are averaged, as Lightning does with what a batch logs several times.
  expect(Object.keys(validation)).toEqual([
    'val/loss',
    'val/acc@1',
    'val/acc@5',
    'val/acc@1@t0',
    'val/acc@5@t0',
    'val/acc@1@t4',
    'val/acc@5@t4',
    'val/acc@1@t8',
    'val/acc@5@t8',
  ]);
  expect(validation['val/acc@1@t0']).toBe(1);
  expect(validation['val/loss']).toBeLessThan(0.5);

  const log = await model.logImages(batch(), { N: 3 });
  expect(Object.entries(log).map(([name, { shape }]) => [name, shape])).toEqual([
    ['inputs', [3, 3, 8, 8]],
    ['labels', [3, 3, 8, 8]],
  ]);

  await guides(model);
});

/** The classifier leads samples to the asked class. */
async function guides(model: NoisyLatentImageClassifier): Promise<void> {
  using diffusion = await model.diffusionModel();
  const labels = Tensor.from(BigInt64Array.of(2n, 5n, 2n, 5n));
  const conditioning = Tensor.randn([4, 1, 16], { seed: 1 });
  const sample = async (scale: number) => {
    const { samples } = await new DDIMSampler(diffusion).sample({
      batchSize: 4,
      conditioning,
      steps: 10,
      random: new Generator(2),
      scoreCorrector: model.guidance(labels, scale),
    });
    const logits = await noGrad(() => model.forward(samples, Tensor.from(BigInt64Array.of(0n, 0n, 0n, 0n))));
    const all = await numbers(logits);
    return [2, 5, 2, 5].reduce((sum, label, i) => sum + all[i * 6 + label], 0);
  };
  expect(await sample(20)).toBeGreaterThan((await sample(0)) + 0.5);
}

/** A sum over everything that must not change. */
async function frozen(model: NoisyLatentImageClassifier): Promise<number> {
  let sum = 0;
  for (const [name, tensor] of await model.stateDict())
    if (name.startsWith('diffusion_model.') && tensor.dtype === 'float32') sum += await tensor.abs().sum().item();
  return sum;
}

test('segmentation: every position is classified, at the size of the latents', async () => {
  const root = logFolder(
    {
      cond_stage_config: {
        target: 'ldm.modules.encoders.modules.SpatialRescaler',
        params: { in_channels: 6, out_channels: 3 },
      },
      conditioning_key: 'concat',
      cond_stage_key: 'segmentation',
    },
    { in_channels: 6, use_spatial_transformer: false, context_dim: null },
  );
  using model = await create(root, { log_steps: 2 });
  // One class in the whole of each image: 4 in the first, 1 in the second.
  const map = Tensor.from(
    Float32Array.from({ length: 2 * 16 * 16 * 6 }, (_, i) => Number(i % 6 === (i < 16 * 16 * 6 ? 4 : 1))),
    [2, 16, 16, 6],
  );
  const segmented = { image: images([2, 16, 16, 3]), segmentation: map };
  const step = await model.sharedStep(segmented, { t: 4, random: new Generator(1) });
  expect([step.logits.shape, step.targets.shape]).toEqual([
    [2, 6, 8, 8],
    [2, 8, 8],
  ]);
  const [first, second] = [await numbers(step.targets.select(0, 0)), await numbers(step.targets.select(0, 1))];
  expect([new Set(first), new Set(second)]).toEqual([new Set([4]), new Set([1])]);
  // A fresh U-Net predicts zeros: all classes are as likely.
  expect(await step.loss.item()).toBeCloseTo(Math.log(6), 5);
  const accuracy = await step.log['train/acc@5'].item();
  expect(accuracy).toBeGreaterThanOrEqual(0);
  expect(accuracy).toBeLessThanOrEqual(1);
  const log = await model.logImages(segmented, { N: 1 });
  expect(Object.entries(log).map(([name, { shape }]) => [name, shape])).toEqual([
    ['inputs', [1, 3, 16, 16]],
    ['labels', [1, 3, 8, 8]],
    ['inputs@t0', [1, 3, 8, 8]],
    ['pred@t0', [1, 3, 8, 8]],
    ['inputs@t5', [1, 3, 8, 8]],
    ['pred@t5', [1, 3, 8, 8]],
  ]);
});

test('the weights of the diffusion model come from its log folder', async () => {
  const root = logFolder();
  using trained = await create(root);
  fs.mkdirSync(path.join(root, 'checkpoints'));
  const diffusion = await trained.getSubmodule('diffusion_model');
  await writeCheckpoint(path.join(root, 'checkpoints', 'last.ckpt'), { state_dict: await diffusion.stateDict() });
  using model = await NoisyLatentImageClassifier.create(
    { diffusion_path: root, num_classes: 6 },
    { random: new Generator(2) },
  );
  const key = 'diffusion_model.first_stage_model.encoder.conv_in.weight';
  const [own, other] = [(await model.stateDict()).get(key)!, (await trained.stateDict()).get(key)!];
  expect(await difference(own, other)).toBe(0);
});

test('what is missing is said', async () => {
  await expect(create('/nowhere')).rejects.toMatchObject({
    code: 'ERR_FILE',
    message: expect.stringContaining('diffusion_path has to name the log folder'),
  });
  const unconditional = { cond_stage_config: '__is_unconditional__', cond_stage_key: 'image' };
  const plain = { use_spatial_transformer: false, context_dim: null };
  await expect(create(logFolder(unconditional, plain))).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('Expected the label_key class_label or segmentation but found "image"'),
  });
  using model = await create(logFolder(unconditional, plain), { label_key: 'class_label', pool: 'adaptive' });
  expect(model.labelKey).toBe('class_label');
});
