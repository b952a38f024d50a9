/** The state_dict of official configs: names, order, dtypes and shapes equal the reference's. */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { loadConfig } from '../../lib/config';
import { instantiateFromConfig } from '../../lib/models';

const MODELS = path.join(__dirname, '../../models');
const OWN = path.join(__dirname, 'keys');
const SHARED = path.join(__dirname, '../../../shared/golden/keys');
const keys = process.env.CI && fs.existsSync(SHARED) ? SHARED : OWN;

/** The first stages and the latent diffusion models whose parts exist. */
const CLAIMED = [
  'configs/autoencoder/autoencoder_kl_16x16x16.yaml',
  'configs/autoencoder/autoencoder_kl_32x32x4.yaml',
  'configs/autoencoder/autoencoder_kl_64x64x3.yaml',
  'configs/autoencoder/autoencoder_kl_8x8x64.yaml',
  'configs/latent-diffusion/celebahq-ldm-vq-4.yaml',
  'configs/latent-diffusion/cin-ldm-vq-f8.yaml',
  'configs/latent-diffusion/cin256-v2.yaml',
  'configs/latent-diffusion/ffhq-ldm-vq-4.yaml',
  'configs/latent-diffusion/lsun_bedrooms-ldm-vq-4.yaml',
  'configs/latent-diffusion/lsun_churches-ldm-kl-8.yaml',
  'configs/latent-diffusion/txt2img-1p4B-eval.yaml',
  'first_stage_models/kl-f16/config.yaml',
  'first_stage_models/kl-f32/config.yaml',
  'first_stage_models/kl-f4/config.yaml',
  'first_stage_models/kl-f8/config.yaml',
  'first_stage_models/vq-f16/config.yaml',
  'first_stage_models/vq-f4-noattn/config.yaml',
  'first_stage_models/vq-f4/config.yaml',
  'first_stage_models/vq-f8-n256/config.yaml',
  'first_stage_models/vq-f8/config.yaml',
  'ldm/bsr_sr/config.yaml',
  'ldm/celeba256/config.yaml',
  'ldm/cin256/config.yaml',
  'ldm/ffhq256/config.yaml',
  'ldm/layout2img-openimages256/config.yaml',
  'ldm/lsun_beds256/config.yaml',
  'ldm/lsun_churches256/config.yaml',
  'ldm/semantic_synthesis256/config.yaml',
  'ldm/semantic_synthesis512/config.yaml',
  'ldm/text2img256/config.yaml',
];

/** configs/a/b.yaml lies in configs__a__b.txt; the other folders were below models/. */
function keyFile(config: string): string {
  const official = config.startsWith('configs/') ? config : `models/${config}`;
  return path.join(keys, `${official.replace(/\.yaml$/, '').replaceAll('/', '__')}.txt`);
}

/** The config without the checkpoints that it would read. */
function withoutCheckpoints(value: any): any {
  if (Array.isArray(value)) return value.map(withoutCheckpoints);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'ckpt_path');
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutCheckpoints(item)]));
}

const present = CLAIMED.filter((config) => fs.existsSync(keyFile(config)));

test('there are key lists', () => expect(present.length).toBeGreaterThanOrEqual(6));

async function keysOf(config: string): Promise<string[]> {
  const { model } = loadConfig(path.join(MODELS, config)).values;
  using module = await instantiateFromConfig(withoutCheckpoints(model), { init: 'empty' });
  const found: string[] = [];
  for (const [name, tensor] of await module.stateDict()) {
    found.push(`${name}\t${tensor.dtype}\t[${tensor.shape.join(', ')}]`);
    tensor.dispose();
  }
  return found;
}

test.each(present)('%s', async (config) => {
  expect(await keysOf(config)).toEqual(fs.readFileSync(keyFile(config), 'utf8').trimEnd().split('\n'));
});

test.each([
  ['ldm/stable-diffusion-v1/v1-inference.yaml', 1143],
  ['ldm/stable-diffusion-v2/v2-inference-v.yaml', 1240],
  ['ldm/stable-diffusion-v2/x4-upscaling.yaml', 1205],
])('%s', async (config, count) => {
  const file = path.join(OWN, 'stable-diffusion', `${path.basename(config, '.yaml')}.txt.gz`);
  const expected = gunzipSync(fs.readFileSync(file)).toString('utf8').trimEnd().split('\n');
  expect(expected).toHaveLength(count);
  expect(await keysOf(config)).toEqual(expected);
});
