/** The demo's grid of samples: a row for each class. */
import type { DDPM } from '../models/ddpm';
import { loadModel } from '../models/load-model';
import { labelledGrid } from '../pictures/labelled-grid';
import { picturesOf, slicePictures, writeFileAtomic } from '../pictures/picture';
import { Generator } from '../random';
import { classToImage } from '../sampling/pipelines';

const COLUMNS = 10;
/**
 * How the demo samples. After so short a training, deterministic DDIM often ends in debris; with as much noise as ancestral
 * sampling (eta 1) later steps repair what earlier ones got wrong.
 */
export const DEMO_SAMPLING = { steps: 50, eta: 1, scale: 2 };

/** Draws samples of every class. @param options.source log folder of a class-conditional LatentDiffusion */
export async function drawSamples(
  file: string,
  options: { source: string; seed: number; device?: string; onProgress?: (done: number, total: number) => void },
): Promise<void> {
  const { model, classNames, globalStep, hasEma } = await loadModel(options.source, { device: options.device });
  try {
    // All classes in one batch: small networks are faster that way.
    const count = COLUMNS * classNames.length;
    const run = () =>
      classToImage(model as DDPM, {
        labels: Array.from({ length: count }, (_, i) => Math.floor(i / COLUMNS)),
        ...DEMO_SAMPLING,
        unconditionalLabel: classNames.length,
        random: new Generator(options.seed, model.device),
        onProgress: ({ step, total }) => options.onProgress?.(step, total),
      });
    const pictures = await picturesOf(await (hasEma ? (model as DDPM).emaScope(run) : run()));
    const rows = classNames.map((label, i) => ({ label, pictures: slicePictures(pictures, i * COLUMNS, COLUMNS) }));
    const settings = { ...DEMO_SAMPLING, seed: options.seed, global_step: globalStep };
    const { steps, eta, scale } = DEMO_SAMPLING;
    const subtitle = `step ${globalStep}, DDIM ${steps} steps, eta ${eta}, guidance ${scale}, seed ${options.seed}`;
    const text = { settings: JSON.stringify(settings) };
    writeFileAtomic(
      file,
      await labelledGrid(rows, {
        title: 'Samples of the latent diffusion model',
        subtitle,
        cell: 84,
        text,
        range: [0, 1],
      }),
    );
  } finally {
    model.dispose();
  }
}
