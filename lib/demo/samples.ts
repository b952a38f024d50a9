/** The demo's grid of samples: a row for each class. */
import type { DDPM } from '../models/ddpm';
import { loadModel } from '../models/load-model';
import { labelledGrid } from '../pictures/labelled-grid';
import { slicePictures, writeFileAtomic } from '../pictures/picture';
import { sampleImages } from '../sampling/sample-images';

const COLUMNS = 10;
/** DDIM steps, and the strength of guidance. */
export const DEMO_STEPS = 30;
export const DEMO_SCALE = 2;

/** Draws samples of every class. @param options.source log folder of a class-conditional LatentDiffusion */
export async function drawSamples(
  file: string,
  options: { source: string; seed: number; device?: string; onProgress?: (done: number, total: number) => void },
): Promise<void> {
  const { model, classNames, globalStep, hasEma } = await loadModel(options.source, { device: options.device });
  try {
    // All classes in one batch: small networks are faster that way.
    const count = COLUMNS * classNames.length;
    const pictures = await sampleImages(model as DDPM, {
      count,
      classLabel: Array.from({ length: count }, (_, i) => Math.floor(i / COLUMNS)),
      steps: DEMO_STEPS,
      eta: 0,
      scale: DEMO_SCALE,
      unconditionalLabel: classNames.length,
      seed: options.seed,
      batchSize: count,
      ema: hasEma,
      onProgress: options.onProgress,
    });
    const rows = classNames.map((label, i) => ({ label, pictures: slicePictures(pictures, i * COLUMNS, COLUMNS) }));
    const settings = { steps: DEMO_STEPS, eta: 0, scale: DEMO_SCALE, seed: options.seed, global_step: globalStep };
    const subtitle = `step ${globalStep}, DDIM ${DEMO_STEPS} steps, guidance ${DEMO_SCALE}, seed ${options.seed}`;
    const text = { settings: JSON.stringify(settings) };
    writeFileAtomic(
      file,
      await labelledGrid(rows, { title: 'Samples of the latent diffusion model', subtitle, cell: 84, text }),
    );
  } finally {
    model.dispose();
  }
}
