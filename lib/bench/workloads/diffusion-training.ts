/** A training step of a latent diffusion model, from pictures: encoding, U-Net, AdamW, moving average. */
import type { ResolvedNode, ResolvedParams } from '../../config';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { Generator } from '../../random';
import { Tensor } from '../../tensor';
import { churches, demoDiffusion } from '../configs';
import { fill, inputs } from '../deterministic';
import { type Workload, workload } from '../workload';

interface TrainingSettings extends Record<string, unknown> {
  config: ResolvedParams;
  /** Of the pictures. */
  shape: number[];
}

export const churchesTraining = () =>
  training({
    name: 'churches-training',
    title: 'lsun_churches training step, one picture of 256x256',
    settings: (size) => ({ config: churches(size), shape: size === 'quick' ? [1, 3, 32, 32] : [1, 3, 256, 256] }),
  });

/** The second training of `ldm demo`. */
export const demoDiffusionTraining = () =>
  training({
    name: 'demo-diffusion-training',
    title: 'demo diffusion model, training step, 32 of 32x32',
    settings: () => ({ config: demoDiffusion(), shape: [32, 3, 32, 32] }),
  });

/** How many classes a model knows; 0 without a condition. */
export function classesOf(config: ResolvedParams): number {
  const stage = config.cond_stage_config;
  return typeof stage === 'object' ? ((stage as ResolvedNode).params.n_classes as number) : 0;
}

function training(about: Pick<Workload<TrainingSettings>, 'name' | 'title' | 'settings'>): Workload {
  return workload({
    ...about,
    peer: 'diffusion_training',
    precisions: ['fp32', 'bf16'],
    trains: true,
    settings: (size) => {
      const settings = about.settings(size);
      return { ...settings, learningRate: 5e-5, classes: classesOf(settings.config) };
    },
    async setup({ config, shape, learningRate, classes }, { device, precision }) {
      const model = await LatentDiffusion.fromParams(config, { device, init: 'empty' });
      await fill(model);
      await model.call('emaReset', { averages: true });
      await model.train();
      await model.configureOptimizers({ learningRate });
      const image = inputs('images', shape, device).permute(0, 2, 3, 1);
      const labels = BigInt64Array.from({ length: shape[0] }, (_, i) => BigInt(i % (classes || 1)));
      const batch = { image, ...(classes ? { class_label: Tensor.from(labels, [shape[0]], { device }) } : {}) };
      const random = new Generator(1, device);
      // The first step of a training measures the scale of the latents besides; this is a later one.
      let step = 1;
      return {
        async run() {
          const { log } = await model.trainBatch(
            // As `ldm train` does: weights are stepped within the backward pass.
            { batch, batchIdx: step, globalStep: step, log: true, step: true, accumulate: 1, stepInBackward: true },
            { random, precision },
          );
          step++;
          return { outputs: { loss: Float32Array.of(log['train/loss']) } };
        },
      };
    },
  });
}
