/** Small models and data for tests of training: a step takes milliseconds. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Config, type ConfigMap } from '../../lib/config';
import { native } from '../../lib/native';
import { TestFolder } from '../data/folders';

// Models this small gain nothing by a second thread, and lose much where other tests run beside.
native().setThreads('cpu', 1);

const SIZE = 16;
const ddconfig = {
  double_z: true,
  z_channels: 2,
  resolution: SIZE,
  in_channels: 3,
  out_ch: 3,
  ch: 32,
  ch_mult: [1, 1],
  num_res_blocks: 1,
  attn_resolutions: [],
  dropout: 0.1,
};

/** A config of AutoencoderKL with a discriminator and without LPIPS. */
export function tinyAutoencoder(root: string, lightning: ConfigMap = {}): Config {
  return Config.from({
    model: {
      base_learning_rate: 1e-4,
      target: 'ldm.models.autoencoder.AutoencoderKL',
      params: {
        embed_dim: 2,
        ddconfig,
        lossconfig: {
          target: 'ldm.modules.losses.LPIPSWithDiscriminator',
          params: { disc_start: 1, disc_num_layers: 0, perceptual_weight: 0, kl_weight: 1e-6 },
        },
      },
    },
    data: folderSection(root),
    lightning,
  });
}

/** A config of VQModel with EMA, resized batches, a learning-rate schedule, use of the codebook; without LPIPS. */
export function tinyVqModel(root: string, lightning: ConfigMap = {}): Config {
  return Config.from({
    model: {
      base_learning_rate: 1e-4,
      target: 'ldm.models.autoencoder.VQModel',
      params: {
        embed_dim: 2,
        n_embed: 8,
        monitor: 'val/rec_loss',
        use_ema: true,
        lr_g_factor: 2,
        batch_resize_range: [8, SIZE],
        scheduler_config: {
          target: 'ldm.lr_scheduler.LambdaLinearScheduler',
          params: { warm_up_steps: [3], cycle_lengths: [100], f_start: [0.1], f_max: [1], f_min: [0.5] },
        },
        ddconfig: { ...ddconfig, double_z: false },
        lossconfig: {
          target: 'ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator',
          params: { disc_start: 1, disc_num_layers: 0, disc_ndf: 8, perceptual_weight: 0, n_classes: 8 },
        },
      },
    },
    data: folderSection(root),
    lightning,
  });
}

/** A config of LatentDiffusion with classes, dropout, EMA and a learning-rate schedule. */
export function tinyLatentDiffusion(root: string, lightning: ConfigMap = {}): Config {
  return Config.from({
    model: {
      base_learning_rate: 1e-4,
      target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
      params: {
        timesteps: 20,
        first_stage_key: 'image',
        cond_stage_key: 'class_label',
        image_size: SIZE / 2,
        channels: 2,
        cond_stage_trainable: true,
        conditioning_key: 'crossattn',
        scale_by_std: true,
        monitor: null,
        scheduler_config: {
          target: 'ldm.lr_scheduler.LambdaLinearScheduler',
          params: { warm_up_steps: [3], cycle_lengths: [100], f_start: [0.1], f_max: [1], f_min: [0.5] },
        },
        unet_config: {
          target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
          params: {
            image_size: SIZE / 2,
            in_channels: 2,
            out_channels: 2,
            model_channels: 32,
            attention_resolutions: [1],
            num_res_blocks: 1,
            channel_mult: [1],
            num_heads: 2,
            dropout: 0.1,
            use_spatial_transformer: true,
            context_dim: 8,
          },
        },
        first_stage_config: {
          target: 'ldm.models.autoencoder.AutoencoderKL',
          params: { embed_dim: 2, ddconfig, lossconfig: { target: 'torch.nn.Identity' } },
        },
        cond_stage_config: {
          target: 'ldm.modules.encoders.modules.ClassEmbedder',
          params: { n_classes: 2, embed_dim: 8, key: 'class_label' },
        },
      },
    },
    data: folderSection(root),
    lightning,
  });
}

function folderSection(root: string): ConfigMap {
  return {
    target: 'main.DataModuleFromConfig',
    params: {
      batch_size: 2,
      train: { target: 'node_ldm.data.ImageFolder', params: { root, size: SIZE, random_crop: true } },
    },
  };
}

/** Eight noisy pictures in two classes. */
export async function tinyImages(): Promise<TestFolder> {
  const folder = new TestFolder();
  for (let i = 0; i < 8; i++) {
    const pixels = Buffer.from(Array.from({ length: 20 * 18 * 3 }, (_, k) => ((k * 31 + i * 97) ^ (k >> 3)) & 0xff));
    await folder.image(`${i % 2 ? 'odd' : 'even'}/${i}.png`, { width: 20, height: 18 }, pixels);
  }
  return folder;
}

/** A temporary folder. */
export function temporary(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-train-'));
}
