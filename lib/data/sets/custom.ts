/** Any images by a list of files (reference: taming/data/custom.py). */
import path from 'node:path';
import type { CustomTestParams, CustomTrainParams } from '../../config/targets/data-sets/lists';
import { readLines } from '../data-folder';
import { registerDataset } from '../registry';
import { ImagePaths } from './base';

function open(list: string, { size, data_root }: { size: number | null; data_root: string | null }): ImagePaths {
  const root = path.resolve(data_root ?? '.');
  return new ImagePaths(
    readLines(list).map((line) => path.resolve(root, line)),
    { size },
  );
}

registerDataset('taming.data.custom.CustomTrain', (params: CustomTrainParams) => {
  return open(params.training_images_list_file, params);
});
registerDataset('taming.data.custom.CustomTest', (params: CustomTestParams) => {
  return open(params.test_images_list_file, params);
});
