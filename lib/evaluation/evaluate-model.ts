/** How well a first stage reconstructs images. */
import path from 'node:path';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { ImageAutoencoder } from '../models/image-autoencoder';
import type { LoadedModel } from '../models/load-model';
import { encodePng, picturesOf, toBytes, writeFileAtomic } from '../pictures/picture';
import { imageSizeOf } from '../training/training-run';
import { type EvaluationOptions, type EvaluationResult, evaluatePairs, type PairSource } from './evaluate';
import { firstStageOf, withFirstStageWeights } from './first-stage';
import { type EightBitBatch, toLevels, toUnitRange } from './image-batches';
import { type ImagesOption, openImages } from './images-of';

export interface ModelEvaluationOptions extends EvaluationOptions {
  /** A folder of images, or a part of the config's data section. Default: its validation data. */
  images?: ImagesOption;
  /** Side of the images; default: that of the model. */
  size?: number;
  batchSize?: number;
  /** Number format of the model; default 'fp32'. */
  precision?: CallOptions['precision'];
  /** Averaged weights of a VQ model. Default: where the checkpoint has them. */
  ema?: boolean;
  /** Write the reconstructions as PNG files into this folder, under the images' names. */
  save?: string;
}

/** What {@link evaluateModel} adds to the metrics. */
export interface ModelEvaluation extends EvaluationResult {
  checkpoint: string;
  globalStep: number | null;
  size: number;
}

const VALIDATION = { split: 'validation' } as const;

/**
 * Encodes images to the most likely latent, decodes, rounds to 8 bits, and compares.
 * @throws LdmError as evaluateFolders; ERR_CONFIG when the config has no such data
 */
export async function evaluateModel(
  loaded: LoadedModel,
  options: ModelEvaluationOptions = {},
): Promise<ModelEvaluation> {
  const firstStage = await firstStageOf(loaded);
  const size = options.size ?? imageSizeOf(loaded.config.get('model') as never);
  const { images = VALIDATION } = options;
  const batchSize = options.batchSize ?? 8;
  const set = openImages(loaded.config, images, { size, batchSize });
  try {
    const source: PairSource = {
      length: set.source.length,
      async *pairs() {
        for await (const reference of set.source.batches()) {
          const image = await reconstructed(firstStage, reference, options);
          if (options.save !== undefined) await saveImages(options.save, image);
          yield { image, reference };
        }
      },
    };
    const result = await withFirstStageWeights(loaded, options.ema, () => evaluatePairs(source, options));
    return { ...result, checkpoint: loaded.checkpoint, globalStep: loaded.globalStep, size };
  } finally {
    await set.close();
  }
}

async function reconstructed(
  firstStage: ImageAutoencoder,
  { images, names }: EightBitBatch,
  { signal, precision }: ModelEvaluationOptions,
): Promise<EightBitBatch> {
  using x = toUnitRange(images, firstStage.device);
  using y = await firstStage.reconstruct(x, { signal, precision });
  if (y.shape.join() !== x.shape.join())
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `This model cannot reconstruct ${x.shape[3]} x ${x.shape[2]} pixels: it gives ${y.shape[3]} x ${y.shape[2]}. Try a multiple of 32 with --size.`,
    );
  return { images: toLevels(y), names };
}

async function saveImages(folder: string, { images, names }: EightBitBatch): Promise<void> {
  const pictures = await picturesOf(images);
  for (const [i, name] of names.entries()) {
    const file = path.join(folder, `${name.slice(0, name.length - path.extname(name).length)}.png`);
    writeFileAtomic(file, await encodePng(toBytes(pictures, { index: i, range: [0, 255] }), pictures));
  }
}
