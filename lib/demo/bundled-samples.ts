/** What the bundled text-to-image model draws for a list of prompts: a table with a row for each. */
import { bundledModel } from '../models/bundled-model';
import type { LatentDiffusion } from '../models/latent-diffusion';
import { loadModel } from '../models/load-model';
import { labelledGrid } from '../pictures/labelled-grid';
import { picturesOf, slicePictures, writeFileAtomic } from '../pictures/picture';
import { Generator } from '../random';
import { textToImage } from '../sampling/pipelines';

/** Prompts of the demo: emoji, and avatars of which some have attributes that training never showed together. */
export const DEMO_PROMPTS: readonly string[] = [
  'grinning face with smiling eyes',
  'red apple, fruit',
  'cat face',
  'blue heart',
  'rocket',
  'avatar, orange curly hair, light skin, big smile, round glasses',
  'avatar, blue mohawk hair, brown skin, unimpressed mouth, sunglasses',
  'avatar, black bun hair, tan skin, toothy smile, cat ears',
];

/** How the bundled model is meant to be sampled: DDIM with the noise of ancestral sampling. */
export const BUNDLED_SAMPLING = { steps: 50, eta: 1, scale: 3 };
const COLUMNS = 6;

export interface BundledSamplesOptions {
  /** Default: {@link DEMO_PROMPTS}. */
  prompts?: readonly string[];
  seed: number;
  device?: string;
  signal?: AbortSignal;
  onProgress?: (step: number, total: number) => void;
}

/**
 * Draws six pictures of each prompt into one PNG file with the settings in its text chunks.
 * @returns number of pictures
 * @throws LdmError ERR_FILE when the bundled weights are missing or the file cannot be written; ERR_ABORTED
 */
export async function drawBundledSamples(file: string, options: BundledSamplesOptions): Promise<number> {
  const { prompts = DEMO_PROMPTS, seed, device, signal, onProgress } = options;
  const { model } = await loadModel(bundledModel(), { device });
  try {
    const pictures = await picturesOf(
      await textToImage(model as LatentDiffusion, {
        ...BUNDLED_SAMPLING,
        // All in one batch: small networks are faster that way.
        prompts: prompts.flatMap((prompt) => Array<string>(COLUMNS).fill(prompt)),
        random: new Generator(seed, model.device),
        signal,
        onProgress: ({ step, total }) => onProgress?.(step, total),
      }),
    );
    const rows = prompts.map((label, i) => ({ label, pictures: slicePictures(pictures, i * COLUMNS, COLUMNS) }));
    const { steps, eta, scale } = BUNDLED_SAMPLING;
    writeFileAtomic(
      file,
      await labelledGrid(rows, {
        title: 'Drawn by the bundled model',
        subtitle: `64x64 pixels, DDIM ${steps} steps, eta ${eta}, guidance ${scale}, seed ${seed}`,
        labels: 'above',
        cell: 96,
        text: { settings: JSON.stringify({ prompts, ...BUNDLED_SAMPLING, seed }) },
        range: [0, 1],
      }),
    );
    return pictures.batch;
  } finally {
    model.dispose();
  }
}
