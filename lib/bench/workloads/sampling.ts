/** DDIM from noise to pictures. */
import type { ResolvedParams } from '../../config';
import { noGrad } from '../../job';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { classToImage, unconditionalImages } from '../../sampling/pipelines';
import { churches, demoDiffusion } from '../configs';
import { forInference, inputs } from '../deterministic';
import { type Workload, workload } from '../workload';
import { classesOf } from './diffusion-training';

interface SamplingSettings extends Record<string, unknown> {
  config: ResolvedParams;
  /** Of the latents. */
  shape: number[];
  steps: number;
  /** Of guidance, for models with classes. */
  scale: number;
}

export const churchesSampling = () =>
  sampling({
    name: 'churches-ddim-50',
    title: 'lsun_churches, 50 DDIM steps and decoding, one picture of 256x256',
    settings: (size) =>
      size === 'quick'
        ? { config: churches(size), shape: [1, 4, 16, 16], steps: 2, scale: 1 }
        : { config: churches(size), shape: [1, 4, 32, 32], steps: 50, scale: 1 },
  });

/** The pictures of `ldm demo`. */
export const demoSampling = () =>
  sampling({
    name: 'demo-ddim-50',
    title: 'demo diffusion model, 50 DDIM steps with guidance and decoding, 60 pictures of 32x32',
    settings: (size) => ({
      config: demoDiffusion(),
      shape: [size === 'quick' ? 2 : 60, 4, 8, 8],
      steps: size === 'quick' ? 2 : 50,
      scale: 2,
    }),
  });

function sampling(about: Pick<Workload<SamplingSettings>, 'name' | 'title' | 'settings'>): Workload {
  return workload({
    ...about,
    peer: 'sampling',
    precisions: ['fp32', 'bf16'],
    settings: (size) => {
      const settings = about.settings(size);
      return { ...settings, classes: classesOf(settings.config) };
    },
    async setup({ config, shape, steps, scale, classes }, side) {
      const { device, precision } = side;
      const model = await LatentDiffusion.fromParams({ ...config, use_ema: false }, { device, init: 'empty' });
      await forInference(model, side);
      const options = { xT: inputs('noise', shape, device), steps, eta: 0, precision };
      const labels = Array.from({ length: shape[0] }, (_, i) => i % Math.max(classes - 1, 1));
      return {
        async run() {
          const images = await noGrad(() =>
            classes
              ? classToImage(model, { ...options, labels, unconditionalLabel: classes - 1, scale })
              : unconditionalImages(model, { ...options, n: shape[0] }),
          );
          return { outputs: { images } };
        },
      };
    },
  });
}
