/** A training step of AutoencoderKL with both optimizers. */
import type { ResolvedNode, ResolvedParams } from '../../config';
import { AutoencoderKL } from '../../models/autoencoder-kl';
import type { TrainBatchArgs } from '../../models/ddpm';
import { Generator } from '../../random';
import { demoAutoencoder, klF8 } from '../configs';
import { fill, inputs } from '../deterministic';
import { type Workload, workload } from '../workload';

interface TrainingSettings extends Record<string, unknown> {
  config: ResolvedParams;
  shape: number[];
  globalStep: number;
}

/** The official training of KL-f8, with LPIPS, before or after the discriminator takes part. */
export const autoencoderTraining = (pixels: number, phase: 'before' | 'after') =>
  training({
    name: `kl-f8-training-${pixels}-${phase}`,
    title: `KL-f8 training step ${phase} disc_start, ${pixels}x${pixels}`,
    settings: (size) => {
      const edge = size === 'quick' ? 32 : pixels;
      const config = klF8(size);
      const start = (config.lossconfig as ResolvedNode).params.disc_start as number;
      return { config, shape: [1, 3, edge, edge], globalStep: phase === 'before' ? 1 : start };
    },
  });

/** The first training of `ldm demo`. */
export const demoAutoencoderTraining = () =>
  training({
    name: 'demo-autoencoder-training',
    title: 'demo autoencoder, training step, 16 of 32x32',
    settings: () => ({ config: demoAutoencoder(), shape: [16, 3, 32, 32], globalStep: 1 }),
  });

function training(about: Pick<Workload<TrainingSettings>, 'name' | 'title' | 'settings'>): Workload {
  return workload({
    ...about,
    peer: 'autoencoder_training',
    precisions: ['fp32', 'bf16'],
    trains: true,
    settings: (size) => {
      const settings = about.settings(size);
      const { disc_start, disc_factor } = (settings.config.lossconfig as ResolvedNode).params as Record<string, number>;
      const adversarial = disc_factor > 0 && settings.globalStep >= disc_start;
      return {
        ...settings,
        learningRate: 4.5e-6,
        // Before disc_start the discriminator's loss is zero, and whether it is computed at all is the sides' own affair.
        compared: ['loss0', 'rec_loss', 'kl_loss', ...(adversarial ? ['loss1'] : [])],
      };
    },
    async setup({ config, shape, globalStep, learningRate, compared }, { device, precision }) {
      const model = await AutoencoderKL.fromParams(config, { device, init: 'empty' });
      await fill(model);
      await model.train();
      await model.configureOptimizers({ learningRate });
      const images = inputs('images', shape, device).permute(0, 2, 3, 1);
      const random = new Generator(1, device);
      let step = globalStep;
      return {
        async run() {
          const { log, turns } = await model.trainBatch(
            // As `ldm train` does: before disc_start nothing of the discriminator is computed, and weights are stepped
            // within the backward pass.
            {
              batch: { image: images },
              batchIdx: step,
              globalStep: step,
              log: true,
              step: true,
              accumulate: 1,
              skipIdle: true,
              stepInBackward: true,
            } as TrainBatchArgs,
            { random, precision },
          );
          step++;
          const values: Record<string, number> = {
            loss0: turns[0].loss,
            loss1: turns[1]?.loss,
            rec_loss: log['train/rec_loss'],
            kl_loss: log['train/kl_loss'],
          };
          return { outputs: Object.fromEntries(compared.map((name) => [name, Float32Array.of(values[name])])) };
        },
      };
    },
  });
}
