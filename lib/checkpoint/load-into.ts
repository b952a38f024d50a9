/** From a checkpoint file into a model: the reference's `init_from_ckpt` and what users of official files expect. */
import { LdmError } from '../errors';
import type { Module } from '../models/module';
import type { LoadReport } from '../native';
import type { Tensor } from '../tensor';
import { readCheckpoint } from './read';
import type { Checkpoint } from './types';

export interface LoadIntoOptions {
  /** Default true: a missing, unexpected or mis-shaped key rejects. False: only a mis-shaped one does. */
  strict?: boolean;
  /** Prefixes of keys to leave out (the reference's `ignore_keys`). */
  ignoreKeys?: readonly string[];
  /**
   * True: the moving averages (`model_ema.*`) take the place of the weights under `model.*` that they belong to, as the
   * reference's `ema_scope` does. Default false. Rejects when the file has none.
   */
  ema?: boolean;
}

/** Prefixes that wrappers put before every key. */
const WRAPPER_PREFIXES = ['module.', 'model.', 'first_stage_model.', 'net.'];

/**
 * Loads a checkpoint file, or an opened checkpoint, into a model. Tensors are cast to the model's dtype; their data goes
 * from the mapped file straight into the model. A prefix that all keys of the file share and the model's keys lack
 * (`module.` of DataParallel, `model.`) is taken off.
 * @throws LdmError ERR_FILE, ERR_CHECKPOINT, or ERR_MISSING_KEYS with the names of the keys that do not fit
 */
export async function loadInto(
  module: Module,
  source: string | Checkpoint,
  options: LoadIntoOptions = {},
): Promise<LoadReport> {
  if (typeof source !== 'string') return load(module, source, options);
  using checkpoint = await readCheckpoint(source);
  return await load(module, checkpoint, options);
}

async function load(module: Module, checkpoint: Checkpoint, options: LoadIntoOptions): Promise<LoadReport> {
  const ownKeys = await keysOf(module);
  const all = options.ema ? withAverages(checkpoint, ownKeys) : checkpoint.stateDict;
  const ignored = options.ignoreKeys ?? [];
  const wanted = new Map([...all].filter(([name]) => !ignored.some((prefix) => name.startsWith(prefix))));
  return await module.loadStateDict(withoutWrapper(wanted, ownKeys), {
    strict: options.strict,
    source: checkpoint.path,
  });
}

async function keysOf(module: Module): Promise<Set<string>> {
  const state = await module.stateDict();
  for (const tensor of state.values()) tensor.dispose();
  return new Set(state.keys());
}

/** Takes a wrapper's prefix off when every key has it and it is needed for the keys to fit. */
function withoutWrapper(state: ReadonlyMap<string, Tensor>, ownKeys: ReadonlySet<string>): ReadonlyMap<string, Tensor> {
  const names = [...state.keys()];
  if (names.some((name) => ownKeys.has(name))) return state;
  const prefix = WRAPPER_PREFIXES.find(
    (p) => names.every((name) => name.startsWith(p)) && names.some((name) => ownKeys.has(name.slice(p.length))),
  );
  return prefix ? new Map([...state].map(([name, tensor]) => [name.slice(prefix.length), tensor])) : state;
}

/**
 * LitEma names the average of `model.<name>` as `model_ema.<name without dots>`. The averages themselves stay only for a
 * model that keeps some.
 */
function withAverages(checkpoint: Checkpoint, ownKeys: ReadonlySet<string>): ReadonlyMap<string, Tensor> {
  if (!checkpoint.hasEma)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `${checkpoint.path}: holds no moving averages (model_ema.*); load it without ema`,
    );
  const state = new Map<string, Tensor>();
  for (const [name, tensor] of checkpoint.stateDict) {
    if (name.startsWith('model_ema.') && !ownKeys.has(name)) continue;
    const average = name.startsWith('model.') ? `model_ema.${name.slice('model.'.length).replaceAll('.', '')}` : '';
    state.set(name, checkpoint.stateDict.get(average) ?? tensor);
  }
  return state;
}
