/** Data sets and loaders. */
export {
  collate,
  DataLoader,
  type DataLoaderOptions,
  disposeBatch,
  type ImageBatch,
  type LoadedBatch,
} from './data-loader';
export { DataModuleFromConfig, openDataset } from './data-module';
export type { Dataset, Sample } from './dataset';
export { FluentEmoji } from './fluent-emoji';
export { ImageFolder } from './image-folder';
export { type ImageItem, ImageSet, type ImageSetOptions } from './image-set';
export { DataRandom } from './random';
