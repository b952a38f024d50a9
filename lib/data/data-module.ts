/**
 * The `data` section of a config: main.DataModuleFromConfig of the reference (main.py) with the data sets of this library.
 * `num_workers`, `wrap` and `use_worker_init_fn` are accepted and mean nothing here: images are decoded on sharp's threads.
 */
import { type ConfigMap, type ResolvedNode, resolveNode } from '../config';
import type { DataModuleParams } from '../config/targets/data';
import { LdmError } from '../errors';
import { DataLoader, type DataLoaderOptions } from './data-loader';
import type { Dataset } from './dataset';
import { FluentEmoji } from './fluent-emoji';
import { ImageFolder } from './image-folder';

const DATASETS: Record<string, (params: never) => Dataset> = {
  'node_ldm.data.ImageFolder': ImageFolder.open,
  'node_ldm.data.FluentEmoji': FluentEmoji.open,
};

/**
 * Opens the data set that a resolved node names.
 * @throws LdmError ERR_UNKNOWN_TARGET for one whose files this library cannot read, and what the data set itself reports
 */
export function openDataset(node: ResolvedNode): Dataset {
  const open = DATASETS[node.target];
  if (!open)
    throw new LdmError(
      'ERR_UNKNOWN_TARGET',
      `The data set ${node.target} cannot be read. Known: ${Object.keys(DATASETS).join(', ')}. To train on a folder of images, replace the data section with --data DIR.`,
    );
  return open(node.params as never);
}

/** Training and validation loaders of a config. */
export class DataModuleFromConfig {
  readonly batchSize: number;
  /** Data sets by split, in the reference's names: train, validation, test. */
  readonly datasets: ReadonlyMap<string, Dataset>;
  readonly #shuffleValidation: boolean;

  private constructor(params: DataModuleParams) {
    this.batchSize = params.batch_size;
    this.#shuffleValidation = params.shuffle_val_dataloader;
    const splits = (['train', 'validation', 'test'] as const).filter((split) => params[split]);
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
