/**
 * The `data` section of a config: main.DataModuleFromConfig of the reference (main.py) with the data sets of this library.
 * `num_workers`, `wrap` and `use_worker_init_fn` are accepted and mean nothing here: images are decoded on sharp's threads.
 */
import { LdmError } from '../errors';
import { DataLoader, type DataLoaderOptions } from './data-loader';
import type { Dataset } from './dataset';
import { FluentEmoji } from './fluent-emoji';
import { ImageFolder } from './image-folder';

/** An official `{target, params}` node. */
export interface DataConfig {
  target: string;
  params?: Record<string, any>;
}

const DATASETS: Record<string, (params: any) => Dataset> = {
  'node_ldm.data.ImageFolder': (params) => ImageFolder.open(params),
  'node_ldm.data.FluentEmoji': (params) => FluentEmoji.open(params),
};

/**
 * Opens the data set that a config names.
 * @throws LdmError ERR_UNKNOWN_TARGET for one that this library does not have, and what the data set itself reports
 */
export function openDataset(config: DataConfig): Dataset {
  const open = DATASETS[config.target];
  if (!open)
    throw new LdmError(
      'ERR_UNKNOWN_TARGET',
      `The data set ${config.target} is not available. Known: ${Object.keys(DATASETS).join(', ')}. To train on a folder of images, replace the data section with --data DIR.`,
    );
  return open(config.params ?? {});
}

/** Training and validation loaders of a config. */
export class DataModuleFromConfig {
  readonly batchSize: number;
  /** Data sets by split, in the reference's names: train, validation, test. */
  readonly datasets: ReadonlyMap<string, Dataset>;
  readonly #shuffleValidation: boolean;

  /** @param params `batch_size`, `train`, `validation`, `test`, `shuffle_val_dataloader` as in the reference */
  constructor(params: Record<string, any>) {
    this.batchSize = params.batch_size;
    this.#shuffleValidation = params.shuffle_val_dataloader ?? false;
    const splits = ['train', 'validation', 'test'].filter((s) => params[s] != null);
    this.datasets = new Map(splits.map((s) => [s, openDataset(params[s])]));
  }

  /**
   * The section that `--data DIR` stands for: the folder with random crops and flips for training.
   */
  static forFolder(root: string, options: { size: number; batch_size: number }): DataConfig {
    return {
      target: 'main.DataModuleFromConfig',
      params: {
        batch_size: options.batch_size,
        train: { target: 'node_ldm.data.ImageFolder', params: { root, size: options.size, random_crop: true } },
      },
    };
  }

  /** Reads the `data` section of a config. */
  static fromConfig(config: DataConfig): DataModuleFromConfig {
    if (config.target !== 'main.DataModuleFromConfig')
      throw new LdmError(
        'ERR_UNKNOWN_TARGET',
        `The data module ${config.target} is not available; expected main.DataModuleFromConfig.`,
      );
    return new DataModuleFromConfig(config.params ?? {});
  }

  /** Class names of the training data. */
  get classNames(): readonly string[] {
    return this.datasets.get('train')?.classNames ?? [];
  }

  /** Shuffled batches for training. @throws LdmError ERR_CONFIG when the config has no train data set */
  trainLoader(options: Omit<DataLoaderOptions, 'batchSize' | 'shuffle'>): DataLoader {
    const dataset = this.datasets.get('train');
    if (!dataset) throw new LdmError('ERR_CONFIG', "The data section has no 'train' data set.");
    return new DataLoader(dataset, { ...options, batchSize: this.batchSize, shuffle: true });
  }

  /** Batches for validation, or undefined where there is no such data set. */
  validationLoader(options: Omit<DataLoaderOptions, 'batchSize' | 'shuffle'>): DataLoader | undefined {
    const dataset = this.datasets.get('validation');
    return (
      dataset && new DataLoader(dataset, { ...options, batchSize: this.batchSize, shuffle: this.#shuffleValidation })
    );
  }
}
