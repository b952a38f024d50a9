/** The images that a measurement runs over: a folder, or a part of a config's data section. */
import path from 'node:path';
import type { Config } from '../config';
import { disposeBatch } from '../data';
import { DataModuleFromConfig, type Split } from '../data/data-module';
import { LdmError } from '../errors';
import { FolderOfImages, type ImageSource, levelsOfBatch } from './image-batches';

/** A folder, or a part of the data section of the model's config. */
export type ImagesOption = string | { split: Split };

export interface OpenedImages {
  source: ImageSource;
  /** For people. */
  name: string;
  /** Ends the threads that read. */
  close(): Promise<void>;
}

/**
 * Opens a folder (images brought to squares of `size`) or a part of a config's data (as the data set gives them).
 * @param options.limit when there are more images than this, they come in an order that `seed` decides on
 */
export function openImages(
  config: Config,
  images: ImagesOption,
  options: { size: number; batchSize: number; limit?: number; seed?: number },
): OpenedImages {
  const { size, batchSize, limit = Number.POSITIVE_INFINITY, seed = 0 } = options;
  if (typeof images === 'string') {
    const folder = FolderOfImages.open(images, { size, batchSize });
    const source = folder.length > limit ? folder.only(spread(folder.names, limit)) : folder;
    return { source, name: path.resolve(images), close: async () => undefined };
  }
  const data = DataModuleFromConfig.fromConfig(config.get('data'));
  const { split } = images;
  const shuffle = (data.datasets.get(split)?.length ?? 0) > limit;
  const loader = data.loader(split, { shuffle, seed, onBadFile: 'error' });
  if (!loader)
    throw new LdmError('ERR_CONFIG', `The config has no data.params.${split}. Give a folder of images instead.`);
  const source: ImageSource = {
    length: loader.dataset.length,
    async *batches() {
      for await (const { batch, size: count } of loader.batches(0)) {
        try {
          const names = batch.file_path_ ?? Array.from({ length: count }, (_, i) => `image-${i}`);
          yield { images: levelsOfBatch(batch), names };
        } finally {
          disposeBatch(batch);
        }
      }
    },
  };
  return { source, name: `data.params.${split}`, close: () => data.close() };
}

/** So many names at equal distances: folders are often sorted by class. */
function spread(names: readonly string[], count: number): string[] {
  return Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)]);
}
