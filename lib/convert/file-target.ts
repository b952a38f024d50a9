/** Official models as checkpoint files: torch's format and safetensors. */
import fs from 'node:fs';
import { type TensorRecipe, type WriteOptions, writeCheckpoint, writeSafetensors } from '../checkpoint';
import { ITEM_SIZE } from '../checkpoint/mapped-tensor';
import { METADATA, METADATA_KEY } from './file-source';
import type { OfficialModel, State } from './official-model';
import type { Report } from './report';

/** Writes a Lightning checkpoint, as the reference reads it with strict=True. */
export async function writeTorch(
  file: string,
  model: OfficialModel,
  options: WriteOptions,
  report: Report,
): Promise<void> {
  const { state, epoch, globalStep, lightningVersion, training, metadata } = model;
  await writeCheckpoint(
    file,
    {
      epoch: epoch ?? 0,
      global_step: globalStep ?? 0,
      ...(lightningVersion === null ? {} : { 'pytorch-lightning_version': lightningVersion }),
      state_dict: state,
      ...Object.fromEntries(training),
      ...(Object.keys(metadata).length > 0 ? { [METADATA_KEY]: metadata } : {}),
    },
    options,
  );
  report.file(file, state.size, fs.statSync(file).size);
}

/** Writes the weights; counters go into the metadata, what only training needs is left out. */
export async function writeWeights(
  file: string,
  model: OfficialModel,
  options: WriteOptions,
  report: Report,
): Promise<void> {
  const { state, epoch, globalStep, lightningVersion, training } = model;
  if (training.size > 0) report.drop([...training.keys()].join(', '), 0, 'safetensors holds weights only');
  const text = (name: string, value: number | string | null) => (value === null ? {} : { [name]: String(value) });
  const moved = movedNames(state);
  const metadata = {
    ...model.metadata,
    format: 'pt',
    ...text(METADATA.epoch, epoch),
    ...text(METADATA.globalStep, globalStep),
    ...text(METADATA.lightningVersion, lightningVersion),
    ...text(METADATA.moved, moved && JSON.stringify(moved)),
  };
  await writeSafetensors(file, state, { ...options, metadata, order: 'given' });
  report.file(file, state.size, fs.statSync(file).size);
}

/** Places of the tensors that are not of the most common element size: only those do not stay in their order. */
function movedNames(state: State): Record<string, number> | null {
  const sizes = new Map<number, number>();
  const sizeOf = (recipe: TensorRecipe) => ITEM_SIZE[recipe.dtype];
  for (const recipe of state.values()) sizes.set(sizeOf(recipe), (sizes.get(sizeOf(recipe)) ?? 0) + 1);
  if (sizes.size <= 1) return null;
  const [[common]] = [...sizes].sort(([, a], [, b]) => b - a);
  const places: Record<string, number> = {};
  [...state].forEach(([name, recipe], i) => {
    if (sizeOf(recipe) !== common) places[name] = i;
  });
  return places;
}
