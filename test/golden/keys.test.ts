/** The state_dict of official configs: names, order, dtypes and shapes equal the reference's. */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { loadConfig, resolveProject } from '../../lib/config';
import { instantiateFromConfig } from '../../lib/models';
import { withoutCheckpoints } from '../../lib/models/load-model';

const MODELS = path.join(__dirname, '../../models');
const OWN = path.join(__dirname, 'keys');
const SHARED = path.join(__dirname, '../../../shared/golden/keys');
const keys = process.env.CI && fs.existsSync(SHARED) ? SHARED : OWN;

/** Below models/: all official configs. */
const CONFIGS = [
  ...['16x16x16', '32x32x4', '64x64x3', '8x8x64'].map((size) => `configs/autoencoder/autoencoder_kl_${size}.yaml`),
  ...[
    'celebahq-ldm-vq-4',
    'cin-ldm-vq-f8',
    'cin256-v2',
    'ffhq-ldm-vq-4',
    'lsun_bedrooms-ldm-vq-4',
    'lsun_churches-ldm-kl-8',
    'txt2img-1p4B-eval',
  ].map((name) => `configs/latent-diffusion/${name}.yaml`),
  'configs/retrieval-augmented-diffusion/768x768.yaml',
  ...['kl-f16', 'kl-f32', 'kl-f4', 'kl-f8', 'vq-f16', 'vq-f4', 'vq-f4-noattn', 'vq-f8', 'vq-f8-n256'].map(
    (name) => `first_stage_models/${name}/config.yaml`,
  ),
  ...[
    'bsr_sr',
    'celeba256',
    'cin256',
    'ffhq256',
    'inpainting_big',
    'layout2img-openimages256',
    'lsun_beds256',
    'lsun_churches256',
    'semantic_synthesis256',
    'semantic_synthesis512',
    'text2img256',
  ].map((name) => `ldm/${name}/config.yaml`),
];

/** configs/a/b.yaml lies in configs__a__b.txt; the other folders were below models/. */
function keyFile(config: string): string {
  const official = config.startsWith('configs/') ? config : `models/${config}`;
  return path.join(keys, `${official.replace(/\.yaml$/, '').replaceAll('/', '__')}.txt`);
}

const present = CONFIGS.filter((config) => fs.existsSync(keyFile(config)));

test('there are key lists', () => expect(present.length).toBeGreaterThanOrEqual(6));

async function keysOf(config: string): Promise<string[]> {
  const { model } = resolveProject(withoutCheckpoints(loadConfig(path.join(MODELS, config))));
  using module = await instantiateFromConfig(model, { init: 'meta' });
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
