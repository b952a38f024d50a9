/** Models of the official classes, small enough for tests, with random weights: a folder as `ldm serve --models` takes it. */
import fs from 'node:fs';
import path from 'node:path';
import { writeCheckpoint } from '../../lib/checkpoint';
import { loadConfig, toYaml } from '../../lib/config';
import { instantiateFromConfig } from '../../lib/models';
import { DDPM } from '../../lib/models/ddpm';
import { Generator } from '../../lib/random';
import { IDENTITY, quarterOf32 } from '../helpers/tiny-autoencoder';
import { randomized, tinyUnet } from '../helpers/tiny-diffusion';

const firstStage = (lossconfig: object) => ({
  target: 'ldm.models.autoencoder.AutoencoderKL',
  params: { embed_dim: 4, ddconfig: quarterOf32, lossconfig },
});

const unet = (overrides: object) =>
  tinyUnet({ in_channels: 4, out_channels: 4, attention_resolutions: [1], channel_mult: [1, 1], ...overrides });

const latent = (params: object) => ({
  target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
  params: {
    linear_start: 0.0015,
    linear_end: 0.0195,
    timesteps: 1000,
    image_size: 8,
    channels: 4,
    first_stage_key: 'image',
    scale_factor: 0.5,
    use_ema: false,
    first_stage_config: firstStage(IDENTITY),
    ...params,
  },
});

const MODELS = {
  text: latent({
    cond_stage_key: 'caption',
    conditioning_key: 'crossattn',
    cond_stage_trainable: true,
    cond_stage_config: {
      target: 'ldm.modules.encoders.modules.BERTEmbedder',
      params: { n_embed: 32, n_layer: 1, max_seq_len: 16 },
    },
    unet_config: unet({ use_spatial_transformer: true, transformer_depth: 1, context_dim: 32 }),
  }),
  class: latent({
    cond_stage_key: 'class_label',
    conditioning_key: 'crossattn',
    cond_stage_trainable: true,
    cond_stage_config: {
      target: 'ldm.modules.encoders.modules.ClassEmbedder',
      params: { n_classes: 4, embed_dim: 16, key: 'class_label' },
    },
    unet_config: unet({ use_spatial_transformer: true, transformer_depth: 1, context_dim: 16 }),
  }),
  pixels: {
    target: 'ldm.models.diffusion.ddpm.DDPM',
    params: {
      timesteps: 20,
      linear_start: 0.001,
      linear_end: 0.2,
      image_size: 16,
      channels: 3,
      use_ema: false,
      unet_config: unet({ image_size: 16, in_channels: 3, out_channels: 3 }),
    },
  },
  vae: firstStage(IDENTITY),
};

export type TinyModel = keyof typeof MODELS;

/** Where a model of the folder lies. */
const PLACES: Record<TinyModel, { config: string; checkpoint: string }> = {
  text: { config: 'text/config.yaml', checkpoint: 'text/model.ckpt' },
  class: {
    config: 'runs/animals/configs/2026-01-01T00-00-00-project.yaml',
    checkpoint: 'runs/animals/checkpoints/last.ckpt',
  },
  pixels: { config: 'pixels/pixels.yaml', checkpoint: 'pixels/pixels.ckpt' },
  vae: { config: 'vae/config.yaml', checkpoint: 'vae/model.ckpt' },
};

/** Names of the class-conditional model's classes; its last label stands for any. */
export const CLASSES = ['cat', 'dog', 'owl'];

/** Writes models below a folder; ids are the paths of the checkpoints. */
export async function writeTinyModels(
  folder: string,
  names = Object.keys(MODELS) as TinyModel[],
): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for (const name of names) {
    const place = PLACES[name];
    const write = (file: string, text: string) => {
      fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      fs.writeFileSync(path.join(folder, file), text);
    };
    using random = new Generator(5);
    using model = await instantiateFromConfig(MODELS[name] as never, { random });
    if (model instanceof DDPM) await randomized(model);
    write(place.config, toYaml({ model: MODELS[name] } as never));
    fs.mkdirSync(path.dirname(path.join(folder, place.checkpoint)), { recursive: true });
    await writeCheckpoint(path.join(folder, place.checkpoint), { state_dict: await model.stateDict() });
    if (name === 'class') write('runs/animals/classes.txt', `${CLASSES.join('\n')}\n`);
    ids[name] = place.checkpoint;
  }
  return ids;
}

const FAMILIES = path.join(__dirname, '../cli/pictures');

/** Models of other families (folders of test/cli/pictures), as `FAMILY/config.yaml` and `FAMILY/model.ckpt` below a folder. */
export async function writeFamilies(folder: string, families: readonly string[]): Promise<void> {
  for (const family of families) {
    fs.cpSync(path.join(FAMILIES, family, 'config.yaml'), path.join(folder, family, 'config.yaml'));
    using random = new Generator(5);
    const config = loadConfig(path.join(FAMILIES, family, 'config.yaml'));
    using model = await instantiateFromConfig(config.get('model') as never, { random });
    await writeCheckpoint(path.join(folder, family, 'model.ckpt'), { state_dict: await model.stateDict() });
  }
}
