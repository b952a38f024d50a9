/**
 * The official models: which config is whose, where the original scripts look for the weights, and where those can be had
 * (scripts/download_models.sh, scripts/download_first_stages.sh and the README of CompVis latent-diffusion).
 */
import fs from 'node:fs';
import path from 'node:path';

/** A model of the zoo. Paths are relative, as in the original repository. */
export interface ZooModel {
  config: string;
  checkpoint: string;
  /** The checkpoint, or a zip archive that holds it. */
  url: string;
}

const FILES = 'https://ommer-lab.com/files/latent-diffusion';

/** A model whose archive holds model.ckpt beside config.yaml. */
function zipped(folder: string, archive: string): ZooModel {
  return { config: `${folder}/config.yaml`, checkpoint: `${folder}/model.ckpt`, url: `${FILES}/${archive}.zip` };
}

export const modelZoo = {
  celeba256: zipped('models/ldm/celeba256', 'celeba'),
  ffhq256: zipped('models/ldm/ffhq256', 'ffhq'),
  lsun_churches256: zipped('models/ldm/lsun_churches256', 'lsun_churches'),
  lsun_beds256: zipped('models/ldm/lsun_beds256', 'lsun_bedrooms'),
  text2img256: zipped('models/ldm/text2img256', 'text2img'),
  cin256: zipped('models/ldm/cin256', 'cin'),
  semantic_synthesis256: zipped('models/ldm/semantic_synthesis256', 'semantic_synthesis256'),
  semantic_synthesis512: zipped('models/ldm/semantic_synthesis512', 'semantic_synthesis'),
  bsr_sr: zipped('models/ldm/bsr_sr', 'sr_bsr'),
  'layout2img-openimages256': zipped('models/ldm/layout2img-openimages256', 'layout2img_model'),
  inpainting_big: {
    config: 'models/ldm/inpainting_big/config.yaml',
    checkpoint: 'models/ldm/inpainting_big/last.ckpt',
    url: 'https://heibox.uni-heidelberg.de/f/4d9ac7ea40c64582b7c9/?dl=1',
  },
  'text2img-large': {
    config: 'configs/latent-diffusion/txt2img-1p4B-eval.yaml',
    checkpoint: 'models/ldm/text2img-large/model.ckpt',
    url: `${FILES}/nitro/txt2img-f8-large/model.ckpt`,
  },
  'cin256-v2': {
    config: 'configs/latent-diffusion/cin256-v2.yaml',
    checkpoint: 'models/ldm/cin256-v2/model.ckpt',
    url: `${FILES}/nitro/cin/model.ckpt`,
  },
  'stable-diffusion-v1': {
    config: 'models/ldm/stable-diffusion-v1/v1-inference.yaml',
    checkpoint: 'models/ldm/stable-diffusion-v1/model.ckpt',
    url: 'https://huggingface.co/CompVis/stable-diffusion-v-1-4-original/resolve/main/sd-v1-4.ckpt',
  },
  rdm768x768: {
    config: 'configs/retrieval-augmented-diffusion/768x768.yaml',
    checkpoint: 'models/rdm/rdm768x768/model.ckpt',
    url: 'https://ommer-lab.com/files/rdm/model.ckpt',
  },
  ...Object.fromEntries(
    ['kl-f4', 'kl-f8', 'kl-f16', 'kl-f32', 'vq-f4', 'vq-f4-noattn', 'vq-f8', 'vq-f8-n256', 'vq-f16'].map((name) => [
      name,
      zipped(`models/first_stage_models/${name}`, name),
    ]),
  ),
} satisfies Record<string, ZooModel>;

export type ZooName = keyof typeof modelZoo;

const PACKAGE = path.join(__dirname, '../..');

/** Path of a zoo model's config: in the working directory where it is there, else the one that comes with this package. */
export function zooConfig({ config }: ZooModel): string {
  if (fs.existsSync(config)) return config;
  return path.join(PACKAGE, config.startsWith('configs/') ? path.join('models', config) : config);
}

/** What to do about a missing checkpoint of the zoo; undefined for any other file. */
export function howToGet(checkpoint: string): string | undefined {
  const folder = path.dirname(path.resolve(checkpoint));
  const model: ZooModel | undefined = Object.values(modelZoo).find((m) =>
    folder.endsWith(`/${path.dirname(m.checkpoint)}`),
  );
  if (!model) return undefined;
  return model.url.endsWith('.zip')
    ? `Get ${model.url} and unpack it into ${path.dirname(checkpoint)}, or give a file with --ckpt FILE.`
    : `Get ${model.url} and save it as ${path.join(path.dirname(checkpoint), path.basename(model.checkpoint))}, or give a file with --ckpt FILE.`;
}
