/** Data sets and loaders. */
export { collate, disposeBatch, type ImageBatch } from './collate';
export { DataLoader, type DataLoaderOptions, type LoadedBatch } from './data-loader';
export { DataModuleFromConfig, type LoaderOptions, type Split } from './data-module';
export type { ArrayValue, Dataset, IterableDataset, IterableItem, Sample } from './dataset';
export { DEGRADATIONS, type Degradation, type DegradationName } from './degradation';
export { FluentEmoji } from './fluent-emoji';
export { ImageFolder } from './image-folder';
export { type ImageItem, ImageSet, type ImageSetOptions } from './image-set';
export type { Pixels } from './pixels';
export { DataRandom } from './random';
export { type OpenDataset, openDataset, registerDataset } from './registry';
export { ConcatDatasetWithIndex, ImagePaths, type ImagePathsOptions, NumpyPaths } from './sets/base';
export { type IterableOptions, Txt2ImgIterableBaseDataset } from './sets/iterable';
