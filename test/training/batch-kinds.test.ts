/** `ldm train` with each kind of batch that a data set gives, two steps and a validation: what a config names fits together. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Config, type ConfigMap } from '../../lib/config';
import { TrainingRun } from '../../lib/training/training-run';
import { writeTree } from '../data/sets/tree';
import { tarFile } from '../data/tar-file';
import { tinyLatentDiffusion } from './tiny';

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-kinds-')));
const DATA = path.join(root, 'data');
const cache = process.env.XDG_CACHE_HOME;

beforeAll(async () => {
  await writeTree(root);
  const image = fs.readFileSync(path.join(DATA, 'ffhq/0.png'));
  const samples = { '0.png': image, '0.txt': 'a face', '1.png': image, '1.txt': 'waves and dots' };
  for (const split of ['train', 'validation']) {
    fs.mkdirSync(path.join(DATA, 'previews', split), { recursive: true });
    fs.writeFileSync(path.join(DATA, 'previews', split, '0.tar'), tarFile(samples));
  }
  process.env.XDG_CACHE_HOME = path.join(root, 'cache');
});
afterAll(() => {
  if (cache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cache;
  fs.rmSync(root, { recursive: true });
});

interface Kind {
  /** Changes of the model's params. */
  model: ConfigMap;
  /** Name of the data set without Train and Validation, and its options. */
  data: string;
  params: ConfigMap;
}

const bert = (params: ConfigMap) => ({
  target: 'ldm.modules.encoders.modules.BERTEmbedder',
  params: { n_embed: 8, n_layer: 1, ...params },
});
const rescaler = (in_channels: number) => ({
  target: 'ldm.modules.encoders.modules.SpatialRescaler',
  params: { n_stages: 1, in_channels, out_channels: 3 },
});
/** The U-Net of models whose condition is joined to the latents. */
const concat = {
  conditioning_key: 'concat',
  unet_config: { params: { in_channels: 5, use_spatial_transformer: false, context_dim: null } },
};

const KINDS: Record<string, Kind> = {
  texts: {
    model: { cond_stage_key: 'caption', cond_stage_config: bert({ max_seq_len: 12 }) },
    data: 'ldm.data.previews.pytorch_dataset.Previews',
    params: { size: 16 },
  },
  classes: {
    model: {
      cond_stage_config: {
        target: 'ldm.modules.encoders.modules.ClassEmbedder',
        params: { n_classes: 4, embed_dim: 8, key: 'class_label' },
      },
    },
    data: 'ldm.data.imagenet.ImageNet',
    params: { config: { size: 16 }, data_root: null },
  },
  layouts: {
    model: {
      cond_stage_key: 'coordinates_bbox',
      cond_stage_config: bert({ max_seq_len: 92, vocab_size: 8192, use_tokenizer: false }),
    },
    data: 'ldm.data.openimages.OpenImagesBBox',
    params: { size: 16 },
  },
  'label maps': {
    model: { ...concat, cond_stage_key: 'segmentation', cond_stage_config: rescaler(182) },
    data: 'ldm.data.landscapes.RFW',
    params: { size: 24, crop_size: 16 },
  },
  'low-resolution images': {
    model: {
      ...concat,
      cond_stage_key: 'LR_image',
      cond_stage_trainable: false,
      cond_stage_config: { target: 'torch.nn.Identity' },
    },
    data: 'ldm.data.imagenet.ImageNetSR',
    params: { size: 16, degradation: 'bsrgan_light', downscale_f: 2, hr_indices: 'all', min_crop_f: 0.9 },
  },
};

test.each(Object.entries(KINDS))('trains on %s', async (name, { model, data, params }) => {
  const set = (split: string) => ({
    target: `${data}${split}`,
    params: { data_root: name === 'low-resolution images' ? null : DATA, ...params },
  });
  const own = tinyLatentDiffusion('unused');
  const { cond_stage_config, ...rest } = model;
  const config = own
    .pick('model')
    .merge(Config.from({ model: { params: { ...rest, ...(cond_stage_config ? { cond_stage_config: null } : {}) } } }))
    .merge(Config.from(cond_stage_config ? { model: { params: { cond_stage_config } } } : {}))
    .merge(
      Config.from({
        data: {
          target: 'main.DataModuleFromConfig',
          params: { batch_size: 2, num_workers: 1, train: set('Train'), validation: set('Validation') },
        },
        lightning: { trainer: { max_epochs: 1 }, callbacks: { image_logger: { params: { disabled: true } } } },
      }),
    );
  using run = await TrainingRun.prepare({ base: config, logdir: path.join(root, 'logs', name), maxSteps: 2 });
  const { globalStep, metrics } = await run.fit();
  expect(globalStep).toBeGreaterThan(0);
  expect(metrics['train/loss_simple']).toBeGreaterThan(0);
  expect(metrics['val/loss_simple']).toBeGreaterThan(0);
  expect(run.skippedImages).toEqual([]);
});

test('a model with too few classes for its data says so', async () => {
  const train = { target: 'ldm.data.imagenet.ImageNetTrain', params: { config: { size: 16 } } };
  const data = { target: 'main.DataModuleFromConfig', params: { batch_size: 2, train } };
  const config = tinyLatentDiffusion('unused').pick('model').merge(Config.from({ data }));
  await expect(TrainingRun.prepare({ base: config, logdir: path.join(root, 'logs', 'few') })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(/'train' has 4 classes.*n_classes.* is 2/),
  });
});
