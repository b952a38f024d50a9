/** Fits the state of a checkpoint to a model that keeps a moving average where the file has none, or the other way round. */
import type { Module } from '../models/module';
import type { Tensor } from '../tensor';

const PREFIX = 'model_ema.';
/** Buffers of the average that are no weights. */
const COUNTERS = ['decay', 'num_updates'];

/**
 * A state for `model`: an average that it does not keep is left out, and one that the file does not have begins at the
 * weights, with the counters of a new one.
 * @param own the model's own state
 * @returns what was done, in words, beside the state; null where the file fits
 */
export function fitEma(
  file: ReadonlyMap<string, Tensor>,
  own: ReadonlyMap<string, Tensor>,
): { state: ReadonlyMap<string, Tensor>; note: string | null } {
  const hasEma = (state: ReadonlyMap<string, Tensor>) => [...state.keys()].some((key) => key.startsWith(PREFIX));
  if (hasEma(file) === hasEma(own)) return { state: file, note: null };
  if (hasEma(file)) {
    const state = new Map([...file].filter(([key]) => !key.startsWith(PREFIX)));
    return { state, note: 'The moving average in the checkpoint is left out.' };
  }
  // LitEma names its shadows by the parameters without dots; in diffusion models without the leading `model.`, too.
  const sources = new Map<string, Tensor>();
  for (const [key, tensor] of file) {
    sources.set(key.replaceAll('.', ''), tensor);
    if (key.startsWith('model.')) sources.set(key.slice('model.'.length).replaceAll('.', ''), tensor);
  }
  const state = new Map(file);
  for (const [key, tensor] of own) {
    if (!key.startsWith(PREFIX)) continue;
    const name = key.slice(PREFIX.length);
    const source = COUNTERS.includes(name) ? tensor : sources.get(name);
    if (source) state.set(key, source);
  }
  return { state, note: 'The checkpoint has no moving average: one begins at its weights.' };
}

/**
 * Loads a checkpoint's weights strictly, except for the moving average.
 * @returns what {@link fitEma} tells
 * @throws LdmError ERR_MISSING_KEYS when it belongs to another model
 */
export async function loadFittingState(
  model: Module,
  stateDict: ReadonlyMap<string, Tensor>,
  source: string,
): Promise<string | null> {
  const own = await model.stateDict();
  try {
    const { state, note } = fitEma(stateDict, own);
    await model.loadStateDict(state, { source });
    return note;
  } finally {
    for (const tensor of own.values()) tensor.dispose();
  }
}
