/** What a model can do, from its class and options: the page's form follows it. Weights are not needed. */
import type { Config, ResolvedNode } from '../config';
import { imageNetClasses } from '../data/imagenet-classes';
import { DDPM } from '../models/ddpm';
import { ImageAutoencoder } from '../models/image-autoencoder';
import { LatentDiffusion } from '../models/latent-diffusion';
import type { Module } from '../models/module';
import {
  classCountOf,
  firstStageFactor,
  isInpaintingModel,
  isSuperResolutionModel,
  isTextInpaintingModel,
  isTextUpscalingModel,
  latentMultiple,
  trainedSize,
} from '../sampling/pipelines';
import { imageSizeOf } from '../training/training-run';
import type { ModelInfo, ModelKind } from './protocol';

/** Everything of a {@link ModelInfo} that does not come from the list of models. */
export type ModelAbilities = Omit<ModelInfo, 'id' | 'name'>;

const NONE = {
  generate: false,
  img2img: false,
  inpaint: false,
  upscale: false,
  interpolate: false,
  reconstruct: false,
};

/** ImageNet's classes, which models of so many labels are taken to have. */
const IMAGENET = 1000;

/** Commands for conditions that have no form here, by cond_stage_key. */
const COMMANDS: Readonly<Record<string, string>> = {
  segmentation: 'ldm semantic',
  coordinates_bbox: 'ldm layout2img',
};

export function describeModel(model: Module, config: Config, trainedClasses: readonly string[]): ModelAbilities {
  if (model instanceof DDPM) return describeDiffusion(model, trainedClasses);
  const size = imageSizeOf(config.get('model') as never);
  return {
    kind: model instanceof ImageAutoencoder ? 'autoencoder' : 'other',
    note:
      model instanceof ImageAutoencoder
        ? 'It is an autoencoder: diffusion models draw in its latents.'
        : 'This is no model that makes pictures.',
    size: { width: size, height: size },
    multiple: autoencoderMultiple(config),
    fixedSize: false,
    timesteps: 0,
    latent: null,
    classes: null,
    guidance: false,
    can: { ...NONE, reconstruct: model instanceof ImageAutoencoder },
    defaults: { steps: 1, eta: 0, scale: 1, strength: 0.75 },
  };
}

function autoencoderMultiple(config: Config): number {
  const levels = config.get('model.params.ddconfig.ch_mult');
  return Array.isArray(levels) ? 2 ** (levels.length - 1) : 1;
}

function describeDiffusion(model: DDPM, trainedClasses: readonly string[]): ModelAbilities {
  const kind = kindOf(model);
  const latent = model instanceof LatentDiffusion;
  const classes = kind === 'class' ? classesOf(model, trainedClasses) : null;
  const drawn = kind === 'text' || kind === 'class' || kind === 'unconditional';
  const inpaints = kind === 'inpainting' || kind === 'text-inpainting';
  return {
    kind,
    note: noteOf(model, kind),
    size: trainedSize(model),
    multiple: firstStageFactor(model) * latentMultiple(model),
    fixedSize: kind !== 'text' && !inpaints,
    timesteps: model.numTimesteps,
    latent: latent ? [...model.sampleShape] : null,
    classes,
    guidance:
      kind === 'text' ||
      kind === 'text-inpainting' ||
      kind === 'text-upscaling' ||
      unconditionalLabel(model, trainedClasses) !== null,
    can: {
      generate: drawn,
      img2img: drawn && latent,
      inpaint: inpaints || (drawn && latent),
      upscale: kind === 'super-resolution' || kind === 'text-upscaling',
      interpolate: drawn,
      reconstruct: latent,
    },
    defaults: defaultsOf(model, kind, trainedClasses),
  };
}

function kindOf(model: DDPM): ModelKind {
  const stage = model.params.cond_stage_config as ResolvedNode | string | undefined;
  if (!(model instanceof LatentDiffusion) || stage === '__is_unconditional__') return 'unconditional';
  if (isTextInpaintingModel(model)) return 'text-inpainting';
  if (isTextUpscalingModel(model)) return 'text-upscaling';
  if (isInpaintingModel(model)) return 'inpainting';
  if (isSuperResolutionModel(model)) return 'super-resolution';
  if (classCountOf(model) !== null) return 'class';
  return model.tokenizer && ['caption', 'txt'].includes(model.params.cond_stage_key as string) ? 'text' : 'other';
}

function noteOf(model: DDPM, kind: ModelKind): string | null {
  if (kind !== 'other') return null;
  const key = model.params.cond_stage_key as string;
  const command = COMMANDS[key];
  return `This model is conditioned on '${key}', which this page has no form for.${command ? ` Use \`${command}\`.` : ''}`;
}

function classesOf(model: DDPM, trained: readonly string[]): ModelInfo['classes'] {
  const count = classCountOf(model) ?? 0;
  const any = unconditionalLabel(model, trained);
  const names =
    trained.length > 0 || ![IMAGENET, IMAGENET + 1].includes(count) ? trained : imageNetClasses().map((c) => c.label);
  return Array.from({ length: count }, (_, label) => ({
    label,
    name: names[label] ?? (label === any ? 'any class' : `class ${label}`),
  }));
}

/** The label that stands for any class, which guidance leads away from: one beyond those that have names. */
export function unconditionalLabel(model: DDPM, trained: readonly string[]): number | null {
  const count = classCountOf(model);
  if (count === null) return null;
  return (trained.length > 0 ? trained.length < count : count === IMAGENET + 1) ? count - 1 : null;
}

/** As the original scripts and notebooks, with fewer steps where those take 200. */
function defaultsOf(model: DDPM, kind: ModelKind, trained: readonly string[]): ModelInfo['defaults'] {
  const most = (steps: number) => Math.min(steps, model.numTimesteps);
  const stage = (model.params.cond_stage_config as ResolvedNode | undefined)?.target ?? '';
  const strength = 0.75;
  if (kind === 'class')
    return { steps: most(20), eta: 0, scale: unconditionalLabel(model, trained) === null ? 1 : 3, strength };
  if (kind === 'text')
    return {
      steps: most(50),
      eta: 0,
      scale: stage.endsWith('.FrozenOpenCLIPEmbedder') ? 9 : stage.includes('CLIP') ? 7.5 : 5,
      strength,
    };
  if (kind === 'text-inpainting') return { steps: most(50), eta: 0, scale: 10, strength };
  if (kind === 'text-upscaling') return { steps: most(50), eta: 0, scale: 9, strength };
  if (kind === 'super-resolution') return { steps: most(100), eta: 1, scale: 1, strength };
  return { steps: most(50), eta: kind === 'unconditional' ? 1 : 0, scale: 1, strength };
}
