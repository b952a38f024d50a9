/** An official config for the config.json files of a diffusers folder. */
import {
  autoencoderFromJson,
  clipTextFromJson,
  Findings,
  frozenClipParams,
  type Json,
  ldmBertFromJson,
  schedulerFromJson,
  unetFromJson,
} from '../config/diffusers';
import type { Part } from './parts';

/** A config.json and where it lies. */
export interface PartConfig {
  folder: string;
  json: Json;
  where: string;
}

/** The parts that a folder has. */
export interface PartConfigs {
  source: string;
  unet: PartConfig | null;
  firstStage: PartConfig | null;
  condition: PartConfig | null;
  scheduler: PartConfig | null;
  /** Class of the pipeline in model_index.json. */
  pipeline: string | null;
}

const IDENTITY = { target: 'torch.nn.Identity' };

/** The official config. Problems, such as a network that the reference does not have, are in `findings`. */
export function officialConfig(found: PartConfigs, findings: Findings): Json {
  const { unet, firstStage } = found;
  if (!unet && !firstStage) {
    findings.problems.push(`${found.source}: neither a U-Net nor an autoencoder (config.json) is there`);
    return {};
  }
  const first = firstStage && autoencoderFromJson(firstStage.json, firstStage.where, findings);
  const quantized = firstStage?.json._class_name === 'VQModel';
  if (!unet) {
    const target = `ldm.models.autoencoder.${quantized ? 'VQModel' : 'AutoencoderKL'}`;
    return { model: { target, params: { monitor: 'val/rec_loss', ...first!.params } } };
  }
  const network = unetFromJson(unet.json, unet.where, findings);
  const schedule = found.scheduler && schedulerFromJson(found.scheduler.json, found.scheduler.where, findings);
  findings.note(!schedule, `${found.source}: no scheduler_config.json; the schedule is the reference's default`);
  const common = {
    ...schedule,
    log_every_t: 200,
    first_stage_key: 'image',
    image_size: network.sampleSize ?? network.params.image_size,
    channels: network.params.out_channels,
    monitor: 'val/loss_simple_ema',
    use_ema: false,
  };
  const unet_config = { target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel', params: network.params };
  if (!first) return { model: { target: 'ldm.models.diffusion.ddpm.DDPM', params: { ...common, unet_config } } };
  const params = {
    ...common,
    num_timesteps_cond: 1,
    ...conditionOf(found, network.params, findings),
    scale_factor: first.scaleFactor,
    unet_config,
    first_stage_config: {
      target: `ldm.models.autoencoder.${quantized ? 'VQModelInterface' : 'AutoencoderKL'}`,
      params: first.params,
    },
  };
  return { model: { target: 'ldm.models.diffusion.ddpm.LatentDiffusion', params } };
}

/** The conditioning stage and how its output reaches the U-Net. */
function conditionOf(found: PartConfigs, unet: Record<string, unknown>, findings: Findings): Json {
  const { condition } = found;
  if (condition) {
    const crossattn = { cond_stage_trainable: false, conditioning_key: 'crossattn' };
    const encoders = 'ldm.modules.encoders.modules.';
    if (condition.json.model_type === 'ldmbert' || condition.folder === 'bert') {
      const params = ldmBertFromJson(condition.json, condition.where, findings);
      const cond_stage_config = { target: `${encoders}BERTEmbedder`, params };
      return { cond_stage_key: 'caption', ...crossattn, cond_stage_config };
    }
    const sizes = clipTextFromJson(condition.json, condition.where, findings);
    const params = frozenClipParams(sizes);
    return {
      cond_stage_key: 'txt',
      ...crossattn,
      cond_stage_config: { target: `${encoders}FrozenCLIPEmbedder`, params },
    };
  }
  if (unet.in_channels !== unet.out_channels)
    return { cond_stage_key: 'LR_image', concat_mode: true, cond_stage_trainable: false, cond_stage_config: IDENTITY };
  findings.expect(
    !unet.use_spatial_transformer,
    `${found.source}: the U-Net attends to a condition, but the folder has no text encoder that is known here`,
  );
  return { concat_mode: false, cond_stage_config: '__is_unconditional__' };
}

/** The config.json of a part, named in official terms. */
export function configOfPart(found: PartConfigs, part: Part): PartConfig | null {
  switch (part.official) {
    case 'model.diffusion_model':
      return found.unet;
    case 'cond_stage_model':
      return found.condition;
    case 'schedule':
      return found.scheduler;
    default:
      return found.firstStage;
  }
}

/** Whether the parts of a model are what the config.json files of a folder describe. */
export function areDescribedBy(found: PartConfigs, parts: readonly Part[]): boolean {
  return parts.every((part) => {
    const there = configOfPart(found, part);
    return there !== null && meaningOf(part, there.json) === meaningOf(part, part.config);
  });
}

/** What a config.json says in official terms, without what does not decide on the weights. */
function meaningOf(part: Part, json: Json): string {
  const findings = new Findings();
  const meaning = () => {
    switch (part.official) {
      case 'model.diffusion_model':
        return unetFromJson(json, '', findings).params;
      case 'cond_stage_model':
        return part.folder === 'bert' ? ldmBertFromJson(json, '', findings) : clipTextFromJson(json, '', findings);
      case 'schedule':
        return schedulerFromJson(json, '', findings);
      default:
        return autoencoderFromJson(json, '', findings).params;
    }
  };
  return JSON.stringify([meaning(), findings.problems]);
}
