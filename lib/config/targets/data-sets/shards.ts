/** Images with captions in tar archives, in the layout of webdataset (reference: ldm/data/base.py, whose sets are not published). */
import type { z } from 'zod';
import { count, either, flag, integer, listOf, options, text } from '../../types';
import { dataRoot, dataSets, probability } from './common';

const shape = {
  /** Side of the images in pixels. */
  size: count().default(256),
  /** Samples of an epoch, for progress; 0: not known. */
  num_records: integer(0).default(0),
  /** Samples that wait in the shuffle buffer; 0: the order of the archives. */
  shuffle_buffer: integer(0).default(1000),
  random_crop: flag().default(false),
  flip_p: probability().default(0),
  /** Read only every so many-th archive: [index, count]. */
  split: listOf(integer(0)).length(2).nullable().default(null),
};
export const tarShards = options({
  ...shape,
  /** Archives: paths, with {0000..0123} for a range and * for anything, or a folder of them. */
  shards: either('a path, or a list of paths', text(), listOf(text()).min(1)),
});
export type TarShardsParams = z.output<typeof tarShards>;
dataSets(['node_ldm.data'], ['TarShards'], tarShards);

const previews = options({ ...shape, data_root: dataRoot() });
export type PreviewsParams = z.output<typeof previews>;
dataSets(['ldm.data.previews.pytorch_dataset'], ['PreviewsTrain', 'PreviewsValidation'], previews);
