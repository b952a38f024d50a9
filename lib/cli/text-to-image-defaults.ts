/** What the two original scripts/txt2img.py do when nothing is said: the one of latent-diffusion and of stable-diffusion. */
import type { ResolvedNode } from '../config';
import type { LatentDiffusion } from '../models/latent-diffusion';

export interface ScriptDefaults {
  ddim_steps: number;
  n_iter: number;
  n_samples: number;
  scale: number;
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
  digits: 4,
  gridNamedByPrompt: true,
};

const STABLE_DIFFUSION: ScriptDefaults = {
  ddim_steps: 50,
  n_iter: 2,
  n_samples: 3,
  scale: 7.5,
  digits: 5,
  gridNamedByPrompt: false,
};

/** The text encoders of Stable Diffusion 1.x and 2.x. */
const STABLE_DIFFUSION_TEXT = /\.(FrozenCLIPEmbedder|FrozenOpenCLIPEmbedder)$/;

/** Which script a model is for. */
export function scriptDefaultsOf(model: LatentDiffusion): ScriptDefaults {
  const stage = model.params.cond_stage_config as ResolvedNode | string;
  return typeof stage === 'object' && STABLE_DIFFUSION_TEXT.test(stage.target) ? STABLE_DIFFUSION : LATENT_DIFFUSION;
}
