/**
 * A model as the parts that diffusers knows: each has a folder, a class, a config.json and a key map. Made from an official
 * config here, and from the files of a folder in `folder-source.ts`.
 */
import {
  autoencoderKeys,
  clipTextKeys,
  type KeyPair,
  ldmBertKeys,
  openClipTextKeys,
  prefixed,
  type UNetParams,
  unetKeys,
} from '../checkpoint/diffusers';
import type { ResolvedNode } from '../config';
import {
  autoencoderToJson,
  clipTextToJson,
  type Findings,
  frozenClipSizes,
  isQuantized,
  type Json,
  ldmBertToJson,
  openClipSizes,
  type SchedulerClass,
  schedulerToJson,
  unetToJson,
} from '../config/diffusers';

/** One model of a pipeline, or the model itself. */
export interface Part {
  /** Folder within the pipeline; '' for a model by itself. */
  folder: string;
  /** Library and class in model_index.json. */
  type: readonly [library: string, className: string];
  config: Json;
  /** Official keys, with their prefix, and those of diffusers, without. Empty for what has no weights. */
  keys: readonly KeyPair[];
  /** What the report calls it, in official terms. */
  official: string;
}

/** A pipeline, or a model by itself. */
export interface Parts {
  /** Class in model_index.json; null when diffusers has no pipeline for such a model. */
  pipeline: string | null;
  parts: readonly Part[];
  /** Tokenizer that belongs to the pipeline. */
  tokenizer: 'bert' | 'clip' | null;
  /** What diffusers has no class for, in official terms. */
  without: readonly string[];
}

const AUTOENCODER = 'ldm.models.autoencoder.';
const UNET = 'ldm.modules.diffusionmodules.openaimodel.UNetModel';
const ENCODERS = 'ldm.modules.encoders.modules.';

/**
 * The parts of a model with an official config.
 * @param scaleFactor of the latents, where the checkpoint decides on it (scale_by_std); null: that of the config
 */
export function partsOf(model: ResolvedNode, scaleFactor: number | null, findings: Findings): Parts {
  const { target, params } = model;
  if (target.startsWith(AUTOENCODER)) {
    const part = firstStagePart(model, '', '', null, findings);
    return { pipeline: null, parts: [part], tokenizer: null, without: [] };
  }
  const p = params as Record<string, any>;
  findings.expect(
    target.startsWith('ldm.models.diffusion.ddpm.'),
    `${target} has no counterpart in diffusers; expected an autoencoder or a diffusion model`,
  );
  findings.expect(
    p.unet_config?.target === UNET,
    `unet_config is ${p.unet_config?.target}; diffusers has ${UNET} only`,
  );
  if (findings.problems.length > 0) return { pipeline: null, parts: [], tokenizer: null, without: [] };
  const unet = unetPart(p.unet_config.params, p.image_size, findings);
  if (!p.first_stage_config) {
    const parts = [unet, schedulerPart(p, 'DDPMScheduler', findings)];
    return { pipeline: 'DDPMPipeline', parts, tokenizer: null, without: [] };
  }
  return latentParts(p, unet, scaleFactor ?? p.scale_factor, findings);
}

function latentParts(p: Record<string, any>, unet: Part, scaleFactor: number, findings: Findings): Parts {
  const condition = conditionOf(p.cond_stage_config, findings);
  const stable = condition.pipeline === 'StableDiffusionPipeline';
  const folder = stable ? 'vae' : 'vqvae';
  const first = p.first_stage_config as ResolvedNode;
  if (first.target === `${AUTOENCODER}IdentityFirstStage`) {
    const parts = [...(condition.part ? [condition.part] : []), unet, schedulerPart(p, 'DDPMScheduler', findings)];
    const plain = p.cond_stage_config === '__is_unconditional__';
    return { pipeline: plain ? 'DDPMPipeline' : null, parts, tokenizer: null, without: condition.without };
  }
  findings.expect(
    first.target.startsWith(AUTOENCODER) && 'ddconfig' in first.params,
    `first_stage_config is ${first.target}`,
  );
  if (findings.problems.length > 0) return { pipeline: null, parts: [], tokenizer: null, without: [] };
  const firstStage = firstStagePart(first, folder, 'first_stage_model.', scaleFactor, findings);
  const scheduler = schedulerPart(p, stable ? 'PNDMScheduler' : 'DDIMScheduler', findings);
  const parts = [firstStage, ...(condition.part ? [condition.part] : []), unet, scheduler];
  const { pipeline, tokenizer } = condition;
  const quantized = isQuantized(first.target);
  const fits =
    (pipeline === 'LDMPipeline' && p.conditioning_key === null) ||
    (pipeline === 'LDMSuperResolutionPipeline' && quantized && isConcat(p) && scaleFactor === 1) ||
    ((pipeline === 'LDMTextToImagePipeline' || stable) && p.conditioning_key === 'crossattn');
  return { pipeline: fits ? pipeline : null, parts, tokenizer, without: condition.without };
}

/** The reference concatenates a condition when nothing else is said. */
const isConcat = (p: Record<string, any>) =>
  p.conditioning_key === 'concat' || (p.conditioning_key === null && p.concat_mode);

interface Condition {
  part: Part | null;
  pipeline: string | null;
  tokenizer: 'bert' | 'clip' | null;
  without: string[];
}

/** What a conditioning stage is in diffusers. */
function conditionOf(node: ResolvedNode | string, findings: Findings): Condition {
  const none: Condition = { part: null, pipeline: null, tokenizer: null, without: [] };
  if (node === '__is_unconditional__') return { ...none, pipeline: 'LDMPipeline' };
  if (typeof node === 'string') return { ...none, without: ['conditioning by the first stage'] };
  const p = node.params as Record<string, any>;
  const prefix = 'cond_stage_model.';
  const clip = (config: Json, keys: readonly KeyPair[]): Condition => ({
    part: {
      folder: 'text_encoder',
      type: ['transformers', 'CLIPTextModel'],
      config,
      keys: prefixed(prefix, '', keys),
      official: 'cond_stage_model',
    },
    pipeline: 'StableDiffusionPipeline',
    tokenizer: 'clip',
    without: [],
  });
  switch (node.target) {
    case 'torch.nn.Identity':
      return { ...none, pipeline: 'LDMSuperResolutionPipeline' };
    case `${ENCODERS}BERTEmbedder`:
      if (!p.use_tokenizer) break;
      return {
        part: {
          folder: 'bert',
          type: ['latent_diffusion', 'LDMBertModel'],
          config: ldmBertToJson(p as never, findings),
          keys: prefixed(prefix, '', ldmBertKeys(p.n_layer)),
          official: 'cond_stage_model',
        },
        pipeline: 'LDMTextToImagePipeline',
        tokenizer: 'bert',
        without: [],
      };
    case `${ENCODERS}FrozenCLIPEmbedder`: {
      const sizes = frozenClipSizes(p as never, findings);
      return clip(clipTextToJson(sizes, sizes.hidden_size), clipTextKeys(sizes.num_hidden_layers));
    }
    case `${ENCODERS}FrozenOpenCLIPEmbedder`: {
      const sizes = openClipSizes(p as never);
      return clip(clipTextToJson(sizes, p.arch.embed_dim), openClipTextKeys(sizes.num_hidden_layers));
    }
  }
  return { ...none, without: [`cond_stage_config ${node.target.split('.').at(-1)}`] };
}

function firstStagePart(
  { target, params }: ResolvedNode,
  folder: string,
  prefix: string,
  scaleFactor: number | null,
  findings: Findings,
): Part {
  const config = autoencoderToJson(target, params as never, scaleFactor, findings);
  const keys = autoencoderKeys({ ddconfig: params.ddconfig as never, quantizer: isQuantized(target) });
  return {
    folder,
    type: ['diffusers', config._class_name as string],
    config,
    keys: prefixed(prefix, '', keys),
    official: prefix === '' ? 'model' : 'first_stage_model',
  };
}

function unetPart(params: UNetParams, imageSize: number | number[], findings: Findings): Part {
  const config = unetToJson(params, imageSize, findings);
  return {
    folder: 'unet',
    type: ['diffusers', config._class_name as string],
    config,
    keys: prefixed('model.diffusion_model.', '', unetKeys(params)),
    official: 'model.diffusion_model',
  };
}

function schedulerPart(p: Record<string, any>, className: SchedulerClass, findings: Findings): Part {
  return {
    folder: 'scheduler',
    type: ['diffusers', className],
    config: schedulerToJson(p as never, className, findings),
    keys: [],
    official: 'schedule',
  };
}
