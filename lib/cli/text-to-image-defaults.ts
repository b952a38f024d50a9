/** What the original scripts/txt2img.py of latent-diffusion, stable-diffusion and stablediffusion (2.x) do when nothing is said. */
import type { Config, ResolvedNode } from '../config';
import type { DDPM } from '../models/ddpm';

export interface ScriptDefaults {
  ddim_steps: number;
  n_iter: number;
  n_samples: number;
  scale: number;
  /** How much of its picture img2img loses. */
  strength: number;
  /** What the sides of img2img's picture are multiples of. */
  sizeMultiple: number;
  /** Of the numbers of single pictures. */
  digits: number;
  /** The grid is called after the text; otherwise grid-0000.png. */
  gridNamedByPrompt: boolean;
}

const LATENT_DIFFUSION: ScriptDefaults = {
  ddim_steps: 200,
  n_iter: 1,
  n_samples: 4,
  scale: 5,
  strength: 0.75,
  sizeMultiple: 32,
  digits: 4,
  gridNamedByPrompt: true,
};

const STABLE_DIFFUSION: ScriptDefaults = {
  ddim_steps: 50,
  n_iter: 2,
  n_samples: 3,
  scale: 7.5,
  strength: 0.75,
  sizeMultiple: 32,
  digits: 5,
  gridNamedByPrompt: false,
};

const STABLE_DIFFUSION_2: ScriptDefaults = {
  ...STABLE_DIFFUSION,
  n_iter: 3,
  scale: 9,
  strength: 0.8,
  sizeMultiple: 64,
};

/** What scripts/img2img.py has of its own. */
const IMG2IMG = { n_iter: 1, n_samples: 2 };

/** By the class of the text encoder. */
const SCRIPTS: Readonly<Record<string, ScriptDefaults>> = {
  FrozenCLIPEmbedder: STABLE_DIFFUSION,
  FrozenOpenCLIPEmbedder: STABLE_DIFFUSION_2,
};
const classOf = (target: string) => target.slice(target.lastIndexOf('.') + 1);

/**
 * Whether a config is of Stable Diffusion. Its scripts run on a GPU, whose stream of noise begins with the seed whatever was
 * drawn for the weights, or load ready-made text models: so noise begins with the seed here.
 */
export function isStableDiffusion(config: Config): boolean {
  const target = config.get('model.params.cond_stage_config.target');
  return typeof target === 'string' && classOf(target) in SCRIPTS;
}

/** The defaults of the script that a model is for. latent-diffusion has no img2img: Stable Diffusion's stands in. */
export function scriptDefaultsOf(model: DDPM, command: 'txt2img' | 'img2img'): ScriptDefaults {
  const stage = model.params.cond_stage_config as ResolvedNode | string;
  const script = typeof stage === 'object' ? SCRIPTS[classOf(stage.target)] : undefined;
  if (command === 'txt2img') return script ?? LATENT_DIFFUSION;
  const own = script ?? STABLE_DIFFUSION;
  return { ...own, ...IMG2IMG, scale: own === STABLE_DIFFUSION ? 5 : own.scale };
}
