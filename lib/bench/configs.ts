/** The networks that the bench measures: official configs with every default filled in, and tiny ones of the same kinds. */
import path from 'node:path';
import { loadConfig, type ResolvedNode, type ResolvedParams, resolveProject } from '../config';
import { withoutCheckpoints } from '../models/load-model';
import type { BenchSize } from './workload';

const MODELS = path.join(__dirname, '../../models');

/**
 * The params of the model of a config below models/.
 * @param tiny replaces options for {@link BenchSize} 'quick'; nested maps are merged
 */
export function modelParams(file: string, size: BenchSize, tiny: object): ResolvedParams {
  const config = withoutCheckpoints(loadConfig([path.join(MODELS, file)]));
  const { params } = resolveProject(config, { replaceData: true }).model;
  return size === 'full' ? params : (merged(params, tiny) as ResolvedParams);
}

function merged(value: unknown, change: unknown): unknown {
  if (!isMap(value) || !isMap(change)) return change;
  const changes = Object.entries(change).map(([k, v]) => [k, merged(value[k], v)]);
  return { ...value, ...Object.fromEntries(changes) };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TINY_DDCONFIG = { ch: 32, ch_mult: [1, 2], num_res_blocks: 1, resolution: 32 };

/** KL-f8, 83.7 million parameters. */
export const klF8 = (size: BenchSize) =>
  modelParams('first_stage_models/kl-f8/config.yaml', size, { ddconfig: TINY_DDCONFIG });

/** The latent diffusion model of LSUN churches: a U-Net of 295 million parameters on KL-f8. */
export const churches = (size: BenchSize) =>
  modelParams('ldm/lsun_churches256/config.yaml', size, {
    image_size: 16,
    unet_config: {
      params: {
        image_size: 16,
        model_channels: 32,
        channel_mult: [1, 2],
        num_res_blocks: 1,
        attention_resolutions: [2],
      },
    },
    first_stage_config: { params: { ddconfig: TINY_DDCONFIG } },
  });

/** The U-Net of the text-to-image model with 1.45 billion parameters: 872 million of them. */
export const textToImageUnet = (size: BenchSize) => {
  const params = modelParams('configs/latent-diffusion/txt2img-1p4B-eval.yaml', size, {
    unet_config: {
      params: {
        model_channels: 32,
        channel_mult: [1, 2],
        num_res_blocks: 1,
        attention_resolutions: [2],
        context_dim: 32,
      },
    },
  });
  return (params.unet_config as ResolvedNode).params;
};

/** The two models of `ldm demo`, which are small already. */
export const demoAutoencoder = () => modelParams('demo/autoencoder.yaml', 'full', {});
export const demoDiffusion = () => modelParams('demo/ldm.yaml', 'full', {});

/** How many pixels of a picture, along an edge, become one of a latent. */
export function factorOf(params: ResolvedParams): number {
  return 2 ** ((params.ddconfig as { ch_mult: number[] }).ch_mult.length - 1);
}
