/** Any images by a list of files (taming/data/custom.py, taming/data/base.py). */
import type { z } from 'zod';
import { flag, listOf, options, text } from '../../types';
import { dataRoot, dataSets, size } from './common';

const shape = {
  size: size(),
  /** Folder that relative paths of the list start from; null: the current folder. */
  data_root: dataRoot(),
};
const training = options({ ...shape, training_images_list_file: text() });
const test = options({ ...shape, test_images_list_file: text() });
export type CustomTrainParams = z.output<typeof training>;
export type CustomTestParams = z.output<typeof test>;
dataSets(['taming.data.custom'], ['CustomTrain'], training);
dataSets(['taming.data.custom'], ['CustomTest'], test);

const paths = options({ paths: listOf(text()), size: size(), random_crop: flag().default(false) });
export type ImagePathsParams = z.output<typeof paths>;
dataSets(['taming.data.base'], ['ImagePaths', 'NumpyPaths'], paths);
