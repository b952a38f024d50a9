/** The sizes of the official models as `ldm inspect` prints them. */
import fs from 'node:fs';
import path from 'node:path';
import { inspectConfig } from '../../lib/inspect';
import { native } from '../../lib/native';

const MODELS = path.join(__dirname, '../../models');

/** Millions of numbers in a checkpoint: LPIPS' trunk and the EMA copy included, where the config has them. */
const MILLIONS: Record<string, number> = {
  'configs/autoencoder/autoencoder_kl_64x64x3': 72.8,
  'configs/autoencoder/autoencoder_kl_32x32x4': 101.1,
  'configs/autoencoder/autoencoder_kl_16x16x16': 87.1,
  'configs/autoencoder/autoencoder_kl_8x8x64': 121.4,
  'first_stage_models/kl-f4/config': 72.8,
  'first_stage_models/kl-f8/config': 101.1,
  'first_stage_models/kl-f16/config': 87.1,
  'first_stage_models/kl-f32/config': 121.4,
  'first_stage_models/vq-f4/config': 72.8,
  'first_stage_models/vq-f4-noattn/config': 70.7,
  'first_stage_models/vq-f8/config': 83.1,
  'first_stage_models/vq-f8-n256/config': 85.1,
  'first_stage_models/vq-f16/config': 85.0,
  'configs/latent-diffusion/celebahq-ldm-vq-4': 603.4,
  'configs/latent-diffusion/ffhq-ldm-vq-4': 603.4,
  'configs/latent-diffusion/lsun_bedrooms-ldm-vq-4': 603.4,
  'configs/latent-diffusion/lsun_churches-ldm-kl-8': 673.6,
  'configs/latent-diffusion/cin-ldm-vq-f8': 858.2,
  'configs/latent-diffusion/cin256-v2': 456.8,
  'configs/latent-diffusion/txt2img-1p4B-eval': 1538.0,
  'ldm/celeba256/config': 603.4,
  'ldm/ffhq256/config': 603.4,
  'ldm/lsun_beds256/config': 603.4,
  'ldm/lsun_churches256/config': 673.6,
  'ldm/cin256/config': 858.2,
  'ldm/text2img256/config': 1048.7,
  'ldm/bsr_sr/config': 282.6,
  'ldm/inpainting_big/config': 880.9,
  'ldm/layout2img-openimages256/config': 606.7,
  'ldm/semantic_synthesis256/config': 485.8,
  'ldm/semantic_synthesis512/config': 485.8,
  'configs/retrieval-augmented-diffusion/768x768': 2740.6,
};

test('there are 32', () => expect(Object.keys(MILLIONS)).toHaveLength(32));

test.each(Object.entries(MILLIONS))('%s: %s M', async (config, millions) => {
  const { parameters } = await inspectConfig(path.join(MODELS, `${config}.yaml`));
  const { total, trainable, parts } = parameters!;
  expect((total / 1e6).toFixed(1)).toBe(millions.toFixed(1));
  expect(trainable).toBeLessThanOrEqual(total);
  expect(Object.values(parts).reduce((sum, n) => sum + n, 0)).toBe(total);
});

test('the parts of a model: networks, EMA copy, stages', async () => {
  const { parameters } = await inspectConfig(path.join(MODELS, 'ldm/lsun_churches256/config.yaml'));
  expect(parameters).toEqual({
    total: expect.any(Number),
    trainable: 294966916,
    parts: { buffers: 12 * 1000 + 1, model: 294966916, model_ema: 294966918, first_stage_model: 83653863 },
  });
});

test('weights are counted without memory for them: the largest model takes less than a hundredth of theirs', async () => {
  // The peak counts from here: other suites may have run in this process.
  fs.writeFileSync('/proc/self/clear_refs', '5');
  const before = native().memoryUsage().rss;
  const { parameters } = await inspectConfig(path.join(MODELS, 'configs/retrieval-augmented-diffusion/768x768.yaml'));
  expect(native().memoryUsage().peakRss - before).toBeLessThan((parameters!.total * 4) / 100);
});
