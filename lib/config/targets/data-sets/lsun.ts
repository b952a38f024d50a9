/** LSUN (ldm/data/lsun.py): a list of files in a folder. */
import type { z } from 'zod';
import { oneOf, options, text } from '../../types';
import { dataRoot, dataSets, probability, size } from './common';

const shape = (flip: number) => ({
  size: size(),
  interpolation: oneOf('linear', 'bilinear', 'bicubic', 'lanczos').default('bicubic'),
  /** Probability of mirroring. */
  flip_p: probability().default(flip),
});
const training = options({ ...shape(0.5), data_root: dataRoot() });
const validation = options({ ...shape(0), data_root: dataRoot() });
const base = options({ ...shape(0.5), txt_file: text(), data_root: text() });
export type LsunParams = z.output<typeof training>;
export type LsunBaseParams = z.output<typeof base>;

for (const name of ['Churches', 'Bedrooms', 'Cats']) {
  dataSets(['ldm.data.lsun'], [`LSUN${name}Train`], training);
  dataSets(['ldm.data.lsun'], [`LSUN${name}Validation`], validation);
}
dataSets(['ldm.data.lsun'], ['LSUNBase'], base);
