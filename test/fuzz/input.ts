/** The input of a seed and a number: a good file with some changes. */
import type { Corpus } from './corpus';
import { mutateBytes } from './mutate/bytes';
import { mutateLegacy, writeLegacy } from './mutate/legacy';
import { mutateSafetensors, writeSafetensorsModel } from './mutate/safetensors';
import { mutateZip, writeZip } from './mutate/zip';
import { FuzzRandom } from './random';

/** `pickle`: the archive is right and its pickle is not. */
export const FORMATS = ['pickle', 'zip', 'legacy', 'safetensors'] as const;
export type Format = (typeof FORMATS)[number];

export interface FuzzInput {
  format: Format;
  data: Buffer;
}

export function makeInput(corpus: Corpus, seed: number, index: number): FuzzInput {
  const random = new FuzzRandom(seed, index);
  const format = FORMATS[index % FORMATS.length];
  const data = structured(corpus, format, random);
  // the pickles stay within right archives; the others sometimes get a changed byte too
  return { format, data: format !== 'pickle' && random.chance(0.15) ? mutateBytes(data, random) : data };
}

function structured(corpus: Corpus, format: Format, random: FuzzRandom): Buffer {
  const rounds = random.pick([1, 1, 2, 3]);
  switch (format) {
    case 'pickle':
    case 'zip': {
      const model = structuredClone(random.pick(corpus.zips));
      for (const item of model.items) item.data = Buffer.from(item.data);
      model.prefix = Buffer.alloc(0);
      model.suffix = Buffer.alloc(0);
      for (let i = 0; i < rounds; i++) mutateZip(model, random, format === 'pickle');
      return writeZip(model);
    }
    case 'legacy': {
      const { pickles, storages } = random.pick(corpus.legacies);
      const model = { pickles: [...pickles], storages: [...storages] };
      for (let i = 0; i < rounds; i++) mutateLegacy(model, random);
      return writeLegacy(model);
    }
    case 'safetensors': {
      const model = { ...random.pick(corpus.safetensors) };
      for (let i = 0; i < rounds; i++) mutateSafetensors(model, random);
      return writeSafetensorsModel(model);
    }
  }
}
