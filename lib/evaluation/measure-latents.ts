/** Mean, spread and histogram of the latents of a first stage over many images. */
import type { Split } from '../data/data-module';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { LoadedModel } from '../models/load-model';
import { callNative, createNative } from '../models/module';
import { Generator } from '../random';
import type { Tensor } from '../tensor';
import { imageSizeOf } from '../training/training-run';
import { firstStageOf, latentsOf, withFirstStageWeights } from './first-stage';
import { toUnitRange } from './image-batches';
import { type ImagesOption, openImages } from './images-of';
import { fingerprint, type LatentStatistics } from './latent-sidecar';

export interface MeasureLatentsOptions {
  /** A folder, or a part of the config's data. Default: its training data. */
  images?: ImagesOption;
  /** Side of the images of a folder; default: that of the model. */
  size?: number;
  batchSize?: number;
  /** Images to measure at most; default: all. */
  limit?: number;
  /** Of the noise in a posterior's samples, and of the order of images when there is a limit. Default 23. */
  seed?: number;
  precision?: CallOptions['precision'];
  /** Averaged weights of a VQ model. Default: where the checkpoint has them. */
  ema?: boolean;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

const TRAIN: { split: Split } = { split: 'train' };

/**
 * Encodes images and sums up. The latents are those that a diffusion model would be trained on: draws from a KL-VAE's
 * posterior, what a VQ model quantizes.
 * @throws LdmError ERR_FILE, ERR_DATA, ERR_CONFIG; ERR_INVALID_ARGUMENT for a model without a first stage; ERR_NAN
 */
export async function measureLatents(
  loaded: LoadedModel,
  options: MeasureLatentsOptions = {},
): Promise<LatentStatistics> {
  const firstStage = await firstStageOf(loaded);
  const { images = TRAIN, batchSize = 8, limit = Number.POSITIVE_INFINITY, seed = 23, signal, precision } = options;
  const size = options.size ?? imageSizeOf(loaded.config.get('model') as never);
  const set = openImages(loaded.config, images, { size, batchSize, limit, seed });
  const random = new Generator(seed, firstStage.device);
  const sums = await createNative('node_ldm.evaluation.LatentStatistics', {});
  try {
    let done = 0;
    let shape: number[] = [];
    let side = size;
    await withFirstStageWeights(loaded, options.ema, async () => {
      for await (const batch of set.source.batches()) {
        using levels = batch.images.slice(0, 0, Math.min(batch.images.shape[0], limit - done));
        batch.images.dispose();
        using x = toUnitRange(levels, firstStage.device);
        using z = await latentsOf(firstStage, x, { signal, precision, random });
        await callNative(sums, 'add', { z }, { signal });
        side = x.shape[3];
        shape = z.shape.slice(1);
        done += x.shape[0];
        options.onProgress?.(done, Math.min(limit, set.source.length));
        if (done >= limit) break;
      }
    });
    if (done === 0) throw new LdmError('ERR_DATA', `There are no images in ${set.name}.`);
    return await summary({ done, shape, side, seed, data: set.name, checkpoint: loaded.checkpoint }, sums);
  } finally {
    sums.dispose();
    await set.close();
  }
}

async function summary(
  about: { done: number; shape: number[]; side: number; seed: number; data: string; checkpoint: string },
  sums: Parameters<typeof callNative>[0],
): Promise<LatentStatistics> {
  const found = await callNative(sums, 'state');
  const list = async (values: Tensor) => {
    using _ = values;
    return [...((await values.data()) as Float64Array)];
  };
  if (!(found.std > 0)) throw new LdmError('ERR_NAN', 'All latents are equal: this first stage encodes nothing.');
  return {
    fingerprint: fingerprint(about.checkpoint),
    data: about.data,
    images: about.done,
    size: about.side,
    seed: about.seed,
    shape: about.shape,
    elements: found.elements,
    mean: found.mean,
    std: found.std,
    scale_factor: 1 / found.std,
    channel_mean: await list(found.channelMean),
    channel_std: await list(found.channelStd),
    min: found.min,
    max: found.max,
    histogram: {
      from: -found.range,
      to: found.range,
      counts: await list(found.histogram),
      outside: found.outside,
    },
  };
}
