/**
 * The `data` section of a config: main.DataModuleFromConfig of the reference (main.py) with the data sets of this library.
 * `wrap` and `use_worker_init_fn` are accepted and mean nothing here: what is random about a sample depends on the seed,
 * the epoch and its place only, not on the worker that reads it.
 */
import os from 'node:os';
import { type ConfigMap, resolveNode } from '../config';
import type { DataModuleParams } from '../config/targets/data';
import { LdmError } from '../errors';
import { DataLoader, type DataLoaderOptions } from './data-loader';
import type { Dataset, IterableDataset } from './dataset';
import { openDataset } from './registry';
import './sets';
import { WorkerPool } from './workers/pool';

/** The parts of a `data` section, in the reference's names. */
export type Split = 'train' | 'validation' | 'test' | 'predict';
const SPLITS: readonly Split[] = ['train', 'validation', 'test', 'predict'];

/** What a loader's user may choose; the config and the split decide on the rest. */
export type LoaderOptions = Omit<DataLoaderOptions, 'batchSize' | 'shuffle' | 'preprocess'>;

/** Loaders of a config. */
export class DataModuleFromConfig {
  readonly batchSize: number;
  readonly datasets: ReadonlyMap<Split, Dataset | IterableDataset>;
  readonly #shuffle: Record<Split, boolean>;
  readonly #workers: WorkerPool;

  private constructor(params: DataModuleParams) {
    this.batchSize = params.batch_size;
    this.#shuffle = {
      train: true,
      validation: params.shuffle_val_dataloader,
      test: params.shuffle_test_loader,
      predict: false,
    };
    const workers = params.num_workers ?? 2 * params.batch_size;
    this.#workers = new WorkerPool(Math.min(workers, os.availableParallelism()));
    const splits = SPLITS.filter((split) => params[split]);
    this.datasets = new Map(splits.map((split) => [split, openDataset(params[split]!)]));
  }

  /**
   * Opens the data sets of a `data` section.
   * @throws LdmError ERR_CONFIG when the section is wrong, and what the data sets report
   */
  static fromConfig(config: unknown): DataModuleFromConfig {
    const { target, params } = resolveNode(config, 'data module');
    if (target !== 'main.DataModuleFromConfig')
      throw new LdmError('ERR_UNKNOWN_TARGET', `The data module ${target} is not available.`);
    return new DataModuleFromConfig(params as unknown as DataModuleParams);
  }

  /** The `data` section that `--data DIR` stands for: the folder with random crops and flips. */
  static sectionForFolder(root: string, options: { size: number; batchSize: number }): ConfigMap {
    const params = { root, size: options.size, random_crop: true };
    return {
      target: 'main.DataModuleFromConfig',
      params: { batch_size: options.batchSize, train: { target: 'node_ldm.data.ImageFolder', params } },
    };
  }

  /** Class names of the training data. */
  get classNames(): readonly string[] {
    return this.datasets.get('train')?.classNames ?? [];
  }

  /** Shuffled batches for training. @throws LdmError ERR_CONFIG when the config has no train data set */
  trainLoader(options: LoaderOptions & { shuffle?: boolean }): DataLoader {
    const loader = this.loader('train', options);
    if (!loader) throw new LdmError('ERR_CONFIG', "The data section has no 'train' data set.");
    return loader;
  }

  /** Batches for validation, or undefined where there is no such data set. */
  validationLoader(options: LoaderOptions): DataLoader | undefined {
    return this.loader('validation', options);
  }

  /** Batches of a split, in the order that the config asks for; undefined where there is no such data set. */
  loader(split: Split, options: LoaderOptions & { shuffle?: boolean }): DataLoader | undefined {
    const dataset = this.datasets.get(split);
    if (!dataset) return undefined;
    const { batchSize } = this;
    const { preprocess } = this.#workers;
    return new DataLoader(dataset, { shuffle: this.#shuffle[split], ...options, batchSize, preprocess });
  }

  /** Ends the worker threads. */
  async close(): Promise<void> {
    await this.#workers.close();
  }
}
