/** Checkpoint files as official models. */
import { type Checkpoint, recipeFrom, type TensorRecipe } from '../checkpoint';
import type { Config } from '../config';
import { carryOver } from './extras';
import type { OfficialModel } from './official-model';
import type { Report } from './report';

/** Names of metadata in which a safetensors file carries what a checkpoint has beside its weights. */
export const METADATA = {
  epoch: 'ldm.epoch',
  globalStep: 'ldm.global_step',
  lightningVersion: 'ldm.pytorch-lightning_version',
  /** Places of tensors that do not lie in the order of the state dict: JSON of name to index. */
  moved: 'ldm.moved',
} as const;
/** Under this key a torch file keeps the metadata of a safetensors file. */
export const METADATA_KEY = 'metadata';

const TOP = ['epoch', 'global_step', 'pytorch-lightning_version', METADATA_KEY];

/** Everything in a checkpoint. The file has to stay open until it is written elsewhere. */
export function modelOfFile(checkpoint: Checkpoint, config: Config | null, report: Report): OfficialModel {
  const extra = new Map([...checkpoint.extra].filter(([key]) => !TOP.includes(key)));
  const { values, left } = carryOver(extra);
  if (left.size > 0) report.drop(`objects of ${[...left].join(', ')}`, 0, 'unknown classes are not carried over');
  const metadata = metadataOf(checkpoint);
  const number = (name: string) => (metadata[name] === undefined ? null : Number(metadata[name]));
  const { epoch, globalStep, lightningVersion, moved } = METADATA;
  return {
    state: inOrder(checkpoint, metadata[moved]),
    config,
    epoch: checkpoint.epoch ?? number(epoch),
    globalStep: checkpoint.globalStep ?? number(globalStep),
    lightningVersion: checkpoint.lightningVersion ?? metadata[lightningVersion] ?? null,
    metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !key.startsWith('ldm.'))),
    training: values,
  };
}

function metadataOf(checkpoint: Checkpoint): Record<string, string> {
  const stored = checkpoint.extra.get(METADATA_KEY);
  const entries =
    stored instanceof Map ? [...stored].filter(([k, v]) => typeof k === 'string' && typeof v === 'string') : [];
  return Object.fromEntries([...entries, ...checkpoint.metadata]);
}

/** The tensors in the order that they had before a safetensors file sorted them by size of element. */
function inOrder(checkpoint: Checkpoint, moved: string | undefined): Map<string, TensorRecipe> {
  const names = [...checkpoint.tensors.keys()];
  const places = moved === undefined ? {} : parsePlaces(moved);
  const stay = names.filter((name) => !Object.hasOwn(places, name));
  const back = names.filter((name) => Object.hasOwn(places, name)).sort((a, b) => places[a] - places[b]);
  for (const name of back) stay.splice(Math.min(places[name], stay.length), 0, name);
  return new Map(stay.map((name) => [name, recipeFrom(checkpoint.tensors.get(name)!)]));
}

function parsePlaces(text: string): Record<string, number> {
  try {
    const places = JSON.parse(text) as unknown;
    if (typeof places !== 'object' || places === null) return {};
    return Object.fromEntries(Object.entries(places).filter(([, place]) => Number.isSafeInteger(place) && place >= 0));
  } catch {
    return {};
  }
}
