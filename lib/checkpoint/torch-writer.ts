/** Writing of torch.save's zip format, and of Lightning 1.4's checkpoint in it. */
import type { Tensor } from '../tensor';
import { writeAtomically } from './atomic';
import { type Picklable, PyFloat, PyOrderedDict, PyTuple, pickle } from './pickle-writer';
import type { WriteOptions } from './safetensors-writer';
import { TensorWriter } from './tensor-writer';
import type { OptimizerState, ParamGroup } from './types';
import { ZipWriter } from './zip-writer';

/** The folder within the archive; torch uses this name since 1.11. */
const FOLDER = 'archive';
/** Lightning's version whose structure is written (callbacks keyed by class, no loops). */
const LIGHTNING_VERSION = '1.4.2';

/** What a training run saves. */
export interface LightningState {
  /** Parameters and buffers in the model's order. */
  stateDict: ReadonlyMap<string, Tensor>;
  /** Stored as Lightning stores it: of the epoch to be run next. */
  epoch: number;
  /** Stored as Lightning stores it: steps done. */
  globalStep: number;
  /** One per optimizer, in the order of configureOptimizers. */
  optimizerStates?: readonly OptimizerState[];
  /** One per scheduler. */
  lrSchedulers?: readonly LrSchedulerState[];
  /** More entries at the top level (plain values only). */
  extra?: Record<string, Picklable>;
}

/** torch.optim.lr_scheduler.LambdaLR's state. */
export interface LrSchedulerState {
  baseLrs: readonly number[];
  lastEpoch: number;
  lastLr: readonly number[];
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
    for (let i = 0; i < tensors.length; i++) await zip.addTensor(`${FOLDER}/data/${i}`, tensors[i]);
    await zip.add(`${FOLDER}/version`, Buffer.from('3\n'));
    await zip.finish();
  });
}

/**
 * Writes a checkpoint as pytorch-lightning 1.4 does; the reference's `load_state_dict(strict=True)` accepts its
 * state_dict and `torch.optim` its optimizer states.
 */
export async function writeLightningCheckpoint(
  file: string,
  state: LightningState,
  options: WriteOptions = {},
): Promise<void> {
  await writeTorchFile(
    file,
    {
      epoch: state.epoch,
      global_step: state.globalStep,
      'pytorch-lightning_version': LIGHTNING_VERSION,
      state_dict: new PyOrderedDict(state.stateDict),
      callbacks: {},
      optimizer_states: (state.optimizerStates ?? []).map(optimizerState),
      lr_schedulers: (state.lrSchedulers ?? []).map(lrScheduler),
      ...state.extra,
    },
    options,
  );
}

/** Options of torch.optim's Adam that are integers or flags, or whose kind says itself; every other number is a float. */
function optimizerState({ state, paramGroups }: OptimizerState): Picklable {
  const states = [...state].map(([index, fields]): [number, Picklable] => [index, { ...fields }]);
  return { state: new Map(states), param_groups: paramGroups.map(paramGroup) };
}

function paramGroup(group: ParamGroup): Picklable {
  const entries = Object.entries(group).map(([name, value]): [string, Picklable] => {
    if (name === 'params') return [name, value];
    if (typeof value === 'number') return [name, new PyFloat(value)];
    if (Array.isArray(value)) return [name, new PyTuple(value.map((v) => new PyFloat(v)))];
    return [name, value];
  });
  return Object.fromEntries(entries);
}

function lrScheduler({ baseLrs, lastEpoch, lastLr }: LrSchedulerState): Picklable {
  return {
    base_lrs: baseLrs.map((lr) => new PyFloat(lr)),
    last_epoch: lastEpoch,
    verbose: false,
    _step_count: lastEpoch + 1,
    _get_lr_called_within_step: false,
    _last_lr: lastLr.map((lr) => new PyFloat(lr)),
    lr_lambdas: baseLrs.map(() => ({})),
  };
}
