/** A folder with what the docs name: small models under the names of the examples, a few images, the configs. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeCheckpoint } from '../../lib/checkpoint';
import { toYaml } from '../../lib/config';
import { instantiateFromConfig } from '../../lib/models';
import { Generator } from '../../lib/random';
import { ROOT } from '../helpers/child';
import { writeFiles } from '../helpers/temp-folder';
import { IDENTITY, quarterOf32 } from '../helpers/tiny-autoencoder';
import { tinyUnet } from '../helpers/tiny-diffusion';

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

/** A model with random weights as a folder with config.yaml and last.ckpt. */
async function writeModel(folder: string, model: { target: string; params: object }): Promise<void> {
  using random = new Generator(1);
  using made = await instantiateFromConfig(model as never, { random });
  const state = await made.stateDict();
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'config.yaml'), toYaml({ model } as never));
  await writeCheckpoint(path.join(folder, 'last.ckpt'), { state_dict: state });
  for (const tensor of state.values()) tensor.dispose();
}

async function writeImage(file: string, seed: number): Promise<void> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const pixels = Buffer.from(Array.from({ length: 40 * 40 * 3 }, (_, i) => (i * seed + (i >> 7) * 13) % 256));
  await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
    .png()
    .toFile(file);
}

const metrics = (names: readonly string[]): string =>
  [0, 1, 2]
    .map((step) => JSON.stringify({ step, ...Object.fromEntries(names.map((n) => [n, 1 / (step + 1)])) }))
    .join('\n');

/** Makes the folder; remove it when it is no longer needed. */
export async function prepareFolder(): Promise<string> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-docs-')));
  const at = (...parts: string[]) => path.join(folder, ...parts);
  fs.symlinkSync(path.join(ROOT, 'models'), at('models'));
  fs.mkdirSync(at('node_modules'));
  fs.symlinkSync(ROOT, at('node_modules/node-ldm'));
  await writeModel(at('logs/2026-01-31T12-00-00_kl'), autoencoder);
  await writeModel(at('logs/2026-01-31T12-00-00_ldm'), diffusion);
  fs.copyFileSync(at('logs/2026-01-31T12-00-00_kl/last.ckpt'), at('model.ckpt'));
  await writeImage(at('cat.png'), 7);
  for (const i of [1, 2, 3]) await writeImage(at('photos', `${i}.png`), 3 + i);
  const demo = fs.readFileSync(path.join(ROOT, 'models/demo/autoencoder.yaml'), 'utf8');
  writeFiles(folder, {
    'config.yaml': demo,
    'base.yaml': demo,
    'more.yaml': 'model:\n  params:\n    ddconfig: {ch: 64}\n',
    'logs/2026-01-31T12-00-00_kl/metrics.jsonl': metrics(['train/rec_loss', 'train/kl_loss', 'train/d_weight']),
  });
  return folder;
}
