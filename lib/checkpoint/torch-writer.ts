/** Writing of torch.save's zip format, and of Lightning 1.4's checkpoint in it. */
import { types } from 'node:util';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { writeAtomically } from './atomic';
import { type Picklable, PyFloat, PyOrderedDict, PyTuple, pickle } from './pickle-writer';
import type { WriteOptions } from './safetensors-writer';
import { TensorRecipe } from './tensor-recipe';
import { TensorWriter } from './tensor-writer';
import { ZipWriter } from './zip-writer';

/** The folder within the archive; torch uses this name since 1.11. */
const FOLDER = 'archive';
/** Lightning's version whose structure is written (callbacks keyed by class, no loops). */
const LIGHTNING_VERSION = '1.4.2';

/** Lightning's order of the entries; others follow. */
const ORDER = [
  'epoch',
  'global_step',
  'pytorch-lightning_version',
  'state_dict',
  'callbacks',
  'optimizer_states',
  'lr_schedulers',
];

/**
 * What a checkpoint of training holds, under Lightning's names. Other keys are kept as they are. Values may be maps or
 * plain objects.
 */
export interface CheckpointContent {
  /** Parameters and buffers in the model's order. */
  state_dict: ReadonlyMap<string, Tensor | TensorRecipe>;
  /** Of the epoch to be run next. */
  epoch?: number;
  /** Steps done. */
  global_step?: number;
  'pytorch-lightning_version'?: string;
  callbacks?: unknown;
  /** One per optimizer, in the order of configureOptimizers. */
  optimizer_states?: readonly unknown[];
  /** One per scheduler: the state of torch's LambdaLR. */
  lr_schedulers?: readonly unknown[];
  [key: string]: unknown;
}

/**
 * Writes any value with torch.save's format; `torch.load(file, weights_only=True)` reads it. Tensors are written row-major
 * from their device. The file appears whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written, ERR_ABORTED
 */
export async function writeTorchFile(file: string, value: Picklable, options: WriteOptions = {}): Promise<void> {
  const { data, tensors } = pickle(value);
  await writeAtomically(file, async (handle) => {
    const writer = new TensorWriter(handle, options.signal);
    const zip = new ZipWriter(writer);
    await zip.add(`${FOLDER}/data.pkl`, data);
    await zip.add(`${FOLDER}/byteorder`, Buffer.from('little'));
    for (const [i, { name, recipe }] of tensors.entries()) {
      const { overflowed } = await zip.addTensor(`${FOLDER}/data/${i}`, recipe);
      options.onTensor?.(name, overflowed);
    }
    await zip.add(`${FOLDER}/version`, Buffer.from('3\n'));
    await zip.finish();
  });
}

/**
 * Writes a checkpoint as pytorch-lightning 1.4 does: the reference's `load_state_dict(strict=True)` accepts its state_dict
 * and torch.optim its optimizer states. The file appears whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written, ERR_ABORTED, ERR_INVALID_ARGUMENT for values that torch would not
 *   load with `weights_only=True`
 */
export async function writeCheckpoint(
  file: string,
  content: CheckpointContent | Record<string, unknown>,
  options: WriteOptions = {},
): Promise<void> {
  const top = new Map<string, Picklable>();
  const all: Record<string, unknown> = { 'pytorch-lightning_version': LIGHTNING_VERSION, ...content };
  for (const key of [...ORDER, ...Object.keys(all).filter((name) => !ORDER.includes(name))]) {
    const value = all[key];
    if (value === undefined) continue;
    const ordered = key === 'state_dict' && types.isMap(value);
    top.set(key, ordered ? stateDictOf(value as Map<string, Tensor | TensorRecipe>) : typed(value, key, 0));
  }
  await writeTorchFile(file, top, options);
}

/** A state_dict with the `_metadata` that torch keeps with it: the version of every module, parents first. */
function stateDictOf(state: ReadonlyMap<string, Tensor | TensorRecipe>): PyOrderedDict {
  const versions = new Map<string, Picklable>([['', new Map([['version', 1]])]]);
  for (const key of state.keys()) {
    const path = key.split('.').slice(0, -1);
    for (let depth = 1; depth <= path.length; depth++) {
      const name = path.slice(0, depth).join('.');
      // Since version 2 norms with running statistics count their batches.
      const version = state.has(`${name}.num_batches_tracked`) ? 2 : 1;
      if (!versions.has(name)) versions.set(name, new Map([['version', version]]));
    }
  }
  return new PyOrderedDict(state, new Map([['_metadata', new PyOrderedDict(versions)]]));
}

/** Fields that Python holds as floats also where the number is integral; JavaScript cannot tell 1.0 from 1. */
const FLOATS = new Set('lr initial_lr eps weight_decay momentum dampening base_lrs _last_lr'.split(' '));

/** Values that say themselves what they are in Python. */
const TYPED = [Tensor, TensorRecipe, PyFloat, PyTuple, PyOrderedDict];

/** Gives values the Python types that torch expects under their names; optimizer states are indexed by integers. */
function typed(value: unknown, key: string, depth: number): Picklable {
  if (depth > 64)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected values under '${key}' that are nested less deeply`);
  if (typeof value === 'number' && FLOATS.has(key)) return new PyFloat(value);
  if (Array.isArray(value)) {
    if (key === 'betas') return new PyTuple(value.map((v) => new PyFloat(v)));
    return value.map((item) => typed(item, key, depth + 1));
  }
  if (value === null || typeof value !== 'object' || TYPED.some((cls) => value instanceof cls))
    return value as Picklable;
  const entries: [unknown, unknown][] = types.isMap(value) ? [...value] : Object.entries(value);
  return new Map(
    entries
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => {
        const index = key === 'state' && /^\d+$/.test(String(name));
        return [index ? Number(name) : (name as string), typed(item, String(name), depth + 1)];
      }),
  );
}
