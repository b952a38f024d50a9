/**
 * A folder with what the docs name: small models of random weights under the names of the examples and of the official models, a
 * few images, configs.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeCheckpoint, writeSafetensors } from '../../lib/checkpoint';
import { loadConfig, toYaml } from '../../lib/config';
import { instantiateFromConfig } from '../../lib/models';
import { Generator } from '../../lib/random';
import { runLdm } from '../cli/run-ldm';
import { ROOT } from '../helpers/child';
import { writeFiles } from '../helpers/temp-folder';
import { IDENTITY, quarterOf32 } from '../helpers/tiny-autoencoder';
import { tinyUnet } from '../helpers/tiny-diffusion';

/** Without the weights of VGG16 and without a discriminator. */
const VQ_LOSS = {
  target: 'taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator',
  params: { disc_start: 0, disc_factor: 0, perceptual_weight: 0 },
};
const autoencoder = {
  target: 'ldm.models.autoencoder.AutoencoderKL',
  params: { embed_dim: 4, ddconfig: quarterOf32, lossconfig: IDENTITY },
};
const diffusion = {
  target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
  params: {
    timesteps: 1000,
    image_size: 8,
    channels: 4,
    scale_factor: 0.5,
    use_ema: false,
    first_stage_config: autoencoder,
    cond_stage_config: '__is_unconditional__',
    unet_config: tinyUnet({ in_channels: 4, out_channels: 4, num_heads: 1 }),
  },
};
const flowers = {
  ...diffusion,
  params: {
    ...diffusion.params,
    cond_stage_key: 'class_label',
    conditioning_key: 'crossattn',
    cond_stage_config: {
      target: 'ldm.modules.encoders.modules.ClassEmbedder',
      params: { n_classes: 3, embed_dim: 16, key: 'class_label' },
    },
    unet_config: tinyUnet({ in_channels: 4, out_channels: 4, use_spatial_transformer: true, context_dim: 16 }),
  },
};

const vq = {
  target: 'ldm.models.autoencoder.VQModel',
  params: {
    embed_dim: 3,
    n_embed: 16,
    ddconfig: { ...quarterOf32, double_z: false, z_channels: 3 },
    lossconfig: VQ_LOSS,
  },
};

const PICTURES = path.join(ROOT, 'test/cli/pictures');
const GOLDEN = path.join(ROOT, 'test/golden/cases');

/** Official configs that small ones of the same kind stand in for, and the checkpoints that the examples name. */
const STAND_INS: readonly [config: string, standIn: string, checkpoint: string][] = [
  [
    'models/configs/latent-diffusion/txt2img-1p4B-eval.yaml',
    `${PICTURES}/text`,
    'models/ldm/text2img-large/model.ckpt',
  ],
  ['models/ldm/text2img-large/config.yaml', `${PICTURES}/text`, 'models/ldm/text2img-large/model.ckpt'],
  ['models/ldm/text2img256/config.yaml', `${PICTURES}/text`, 'models/ldm/text2img256/model.ckpt'],
  ['models/configs/latent-diffusion/cin256-v2.yaml', `${PICTURES}/cls`, 'models/ldm/cin256-v2/model.ckpt'],
  ['models/ldm/celeba256/config.yaml', `${PICTURES}/uncond`, 'models/ldm/celeba256/model.ckpt'],
  ['models/ldm/inpainting_big/config.yaml', `${PICTURES}/inpaint`, 'models/ldm/inpainting_big/last.ckpt'],
  ['models/ldm/bsr_sr/config.yaml', `${PICTURES}/sr`, 'models/ldm/bsr_sr/model.ckpt'],
  ['models/ldm/semantic_synthesis256/config.yaml', `${PICTURES}/seg`, 'models/ldm/semantic_synthesis256/model.ckpt'],
  [
    'models/ldm/layout2img-openimages256/config.yaml',
    `${PICTURES}/layout`,
    'models/ldm/layout2img-openimages256/model.ckpt',
  ],
  ['models/ldm/stable-diffusion-v1/v1-inference.yaml', `${GOLDEN}/sd1_txt2img`, 'v1-5-pruned-emaonly.safetensors'],
  ['models/ldm/stable-diffusion-v1/v1-inference.yaml', `${GOLDEN}/sd1_txt2img`, 'sd-v1-4.ckpt'],
  ['models/ldm/stable-diffusion-v2/v2-inference-v.yaml', `${GOLDEN}/sd2_v`, 'v2-1_768-ema-pruned.safetensors'],
];

/** A model with random weights as a folder with config.yaml and last.ckpt. */
async function writeModel(folder: string, model: { target: string; params: object }): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'config.yaml'), toYaml({ model } as never));
  await writeWeights(path.join(folder, 'last.ckpt'), model);
}

async function writeWeights(file: string, model: object): Promise<void> {
  using random = new Generator(1);
  using made = await instantiateFromConfig(model as never, { random });
  const state = await made.stateDict();
  fs.mkdirSync(path.dirname(file), { recursive: true });
  if (file.endsWith('.safetensors')) await writeSafetensors(file, state);
  else await writeCheckpoint(file, { state_dict: state });
  for (const tensor of state.values()) tensor.dispose();
}

async function writeImage(file: string, seed: number, side = 40): Promise<void> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const pixels = Buffer.from(Array.from({ length: side * side * 3 }, (_, i) => (i * seed + (i >> 7) * 13) % 256));
  await sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).toFile(file);
}

const metrics = (names: readonly string[]): string =>
  [0, 1, 2]
    .map((step) => JSON.stringify({ step, ...Object.fromEntries(names.map((n) => [n, 1 / (step + 1)])) }))
    .join('\n');

/** `models` of the project, but for the official configs that have a stand-in. */
async function linkModels(at: (...parts: string[]) => string): Promise<void> {
  fs.mkdirSync(at('models'));
  const replaced = new Set([
    ...STAND_INS.map(([config]) => config),
    'models/configs/autoencoder/autoencoder_kl_32x32x4.yaml',
    'models/first_stage_models/kl-f8/config.yaml',
    'models/first_stage_models/vq-f4/config.yaml',
  ]);
  for (const name of fs.readdirSync(path.join(ROOT, 'models'), { recursive: true, encoding: 'utf8' })) {
    const file = path.join(ROOT, 'models', name);
    if (fs.statSync(file).isDirectory()) fs.mkdirSync(at('models', name), { recursive: true });
    else if (!replaced.has(`models/${name}`)) fs.symlinkSync(file, at('models', name));
  }
  for (const [config, standIn, checkpoint] of STAND_INS) {
    fs.mkdirSync(path.dirname(at(config)), { recursive: true });
    fs.copyFileSync(path.join(standIn, 'config.yaml'), at(config));
    if (fs.existsSync(at(checkpoint))) continue;
    fs.mkdirSync(path.dirname(at(checkpoint)), { recursive: true });
    await writeWeights(at(checkpoint), loadConfig(at(config)).get('model') as object);
  }
  // Where the original scripts look for it.
  fs.mkdirSync(at('configs'));
  fs.symlinkSync(at('models/configs/latent-diffusion'), at('configs/latent-diffusion'));
}

/** Makes the folder; remove it when it is no longer needed. */
export async function prepareFolder(): Promise<string> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-docs-')));
  const at = (...parts: string[]) => path.join(folder, ...parts);
  await linkModels(at);
  fs.mkdirSync(at('node_modules'));
  fs.symlinkSync(ROOT, at('node_modules/node-ldm'));
  fs.symlinkSync(path.join(ROOT, 'node_modules/zod'), at('node_modules/zod'));
  await writeImages(at);

  const runs = at('logs/2026-01-31T12-00-00_');
  await writeModel(`${runs}kl`, autoencoder);
  await writeModel(`${runs}ldm`, diffusion);
  for (const name of ['my-ldm', 'photos-ldm', 'mine']) fs.cpSync(`${runs}ldm`, runs + name, { recursive: true });
  writeFiles(`${runs}flowers`, {
    'configs/2026-01-31T12-00-00-project.yaml': toYaml({ model: flowers } as never),
    'classes.txt': 'daisy\nrose\ntulip\n',
  });
  await writeWeights(`${runs}flowers/checkpoints/last.ckpt`, flowers);
  fs.copyFileSync(`${runs}kl/config.yaml`, at('config.yaml'));
  for (const file of ['model.ckpt', 'last.ckpt']) fs.copyFileSync(`${runs}kl/last.ckpt`, at(file));
  // The demo's autoencoder on a handful of its emoji.
  const demo = loadConfig(path.join(ROOT, 'models/demo/autoencoder.yaml'), [
    'data.params.train.params.classes={time: [time]}',
    'data.params.batch_size=2',
  ]);
  const small = demo.toYaml();
  fs.appendFileSync(`${runs}kl/config.yaml`, toYaml({ data: demo.get('data') } as never));
  writeFiles(folder, {
    'base.yaml': small,
    'my.yaml': small,
    'more.yaml': 'model:\n  params:\n    ddconfig: {ch: 64}\n',
    'my-ldm.yaml': toYaml({ model: { ...diffusion, base_learning_rate: 1e-4 } } as never),
    'texts.txt': 'a red fox\n',
    'prompts.txt': 'a red fox\n',
    'models/configs/autoencoder/autoencoder_kl_32x32x4.yaml': small,
    'models/first_stage_models/kl-f8/config.yaml': toYaml({ model: demo.get('model') } as never),
    'models/first_stage_models/vq-f4/config.yaml': toYaml({ model: { ...vq, base_learning_rate: 1e-4 } } as never),
    'logs/2026-01-31T12-00-00_kl/metrics.jsonl': metrics(['train/rec_loss', 'train/kl_loss', 'train/d_weight']),
  });

  // A training that can go on.
  const { stderr } = await runLdm('train', '-b', at('my.yaml'), '-t', '-n', 'my', '-l', at('logs'), '--max_steps', '1');
  const made = fs.readdirSync(at('logs')).find((name) => name.endsWith('_my'));
  if (!made) throw new Error(stderr);
  fs.renameSync(at('logs', made), `${runs}my`);
  fs.cpSync(`${runs}my`, `${runs}autoencoder_kl_32x32x4`, { recursive: true });
  for (const file of ['old.ckpt', 'models/first_stage_models/kl-f8/model.ckpt'])
    fs.copyFileSync(`${runs}my/checkpoints/last.ckpt`, at(file));
  return folder;
}

async function writeImages(at: (...parts: string[]) => string): Promise<void> {
  for (const [i, name] of ['cat.png', 'dog.png', 'photo.jpg', 'face.png', 'mask.png', 'sketch.png'].entries())
    await writeImage(at(name), 7 + i, 64);
  for (const folder of ['photos', 'samples', 'val', 'out/samples'])
    for (const i of [1, 2, 3]) await writeImage(at(folder, `${i}.png`), 3 + i);
  fs.cpSync(path.join(PICTURES, 'inpaint/in'), at('data/inpainting_examples'), { recursive: true });
  fs.copyFileSync(path.join(PICTURES, 'seg/map.png'), at('map.png'));
  fs.copyFileSync(path.join(PICTURES, 'layout/park.json'), at('park.json'));
}
