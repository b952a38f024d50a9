/** The data module. Data sets are in data-sets/. */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, integer, node, options } from '../types';

const dataSet = () => node('data set').nullable().default(null);

export const dataModule = options({
  batch_size: count(),
  train: dataSet(),
  validation: dataSet(),
  test: dataSet(),
  predict: dataSet(),
  /** Wraps the data set in one that has only a length and items; without effect on what is read. */
  wrap: flag().default(false),
  /** Threads that preprocess images, at most one for each processor; 0: the event loop's. null: twice the batch size. */
  num_workers: integer(0).nullable().default(null),
  shuffle_test_loader: flag().default(false),
  /** Without effect: every sample has random numbers of its own, whichever thread reads it. */
  use_worker_init_fn: flag().default(false),
  shuffle_val_dataloader: flag().default(false),
});
export type DataModuleParams = z.output<typeof dataModule>;
registerTarget('main.DataModuleFromConfig', dataModule, { family: 'data module' });
