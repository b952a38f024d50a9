/** Names within a diffusers folder. */

/** Lists the parts of a pipeline. */
export const MODEL_INDEX = 'model_index.json';
export const CONFIG = 'config.json';
export const SCHEDULER_CONFIG = 'scheduler_config.json';

/**
 * What diffusers has no place for, so that the way back gives the same file: the official config, the tensors without a
 * class, the order of all keys and the counters. diffusers does not look at this folder.
 */
export const REST = {
  folder: 'ldm',
  config: 'config.yaml',
  tensors: 'rest.safetensors',
  index: 'index.json',
} as const;

/** What `ldm/index.json` holds. */
export interface RestIndex {
  format: 1;
  /** Names of the state dict in order. */
  keys: string[];
  epoch: number | null;
  global_step: number | null;
  lightning_version: string | null;
  metadata: Record<string, string>;
}

/** The variant of weights that are not averaged, beside the averaged ones; diffusers' name for it. */
export const RAW_VARIANT = 'non_ema';

/** Name of the weights of a part, without the ending. transformers has another than diffusers. */
export const weightsStem = (library: string) => (library === 'diffusers' ? 'diffusion_pytorch_model' : 'model');

/** Folders of parts, under the names that pipelines give them. */
export const FOLDERS = {
  unet: ['unet'],
  firstStage: ['vqvae', 'vae'],
  condition: ['bert', 'text_encoder'],
  scheduler: ['scheduler'],
} as const;
