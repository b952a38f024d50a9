/** Faces (taming/data/faceshq.py); configs of the model zoo name them under ldm.data too. */
import type { z } from 'zod';
import { flag, listOf, options, text } from '../../types';
import { dataRoot, dataSets, size } from './common';

const faces = options({
  size: size(),
  /** Keys of the samples; null: all. */
  keys: listOf(text()).nullable().default(null),
  data_root: dataRoot(),
});
export type FacesParams = z.output<typeof faces>;
const both = options({
  ...faces.shape,
  /** Side of a cut within the image; null: none. */
  crop_size: size(),
  /** Also give where each pixel of the cut lay. */
  coord: flag().default(false),
});
export type FacesHQParams = z.output<typeof both>;

const MODULES = ['taming.data.faceshq', 'ldm.data.faceshq'];
dataSets(MODULES, ['CelebAHQTrain', 'CelebAHQValidation', 'FFHQTrain', 'FFHQValidation'], faces);
dataSets(MODULES, ['FacesHQTrain', 'FacesHQValidation'], both);
