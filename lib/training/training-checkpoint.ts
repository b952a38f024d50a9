/**
 * Checkpoints of training in the form of PyTorch Lightning 1.4, which the reference writes and reads: `epoch`,
 * `global_step`, `state_dict`, `optimizer_states`, `lr_schedulers`, `callbacks`. Under `node_ldm` stands what Lightning does
 * not keep and an exact continuation needs: the place in the data and the random generator.
 */
import { type Checkpoint, type PlainValue, readCheckpoint, writeCheckpoint } from '../checkpoint';
import { LdmError } from '../errors';
import type { Generator } from '../random';
import type { Callback } from './callbacks/callback';
import { disposeOptimizerStates, type Trainable } from './trainable';

/** Where a run stands. */
export interface TrainingState {
  /** Epoch in progress, from 0. */
  epoch: number;
  /** Place in the epoch's order (see DataLoader.batches). */
  position: number;
  /** Batches of the epoch that are done. */
  batchIdx: number;
  /** Optimizer steps done. */
  globalStep: number;
}

export interface TrainingParts {
  trainable: Trainable;
  generator: Generator;
  callbacks: readonly Callback[];
}

export interface WriteOptions extends TrainingParts {
  /** Where a resumed run begins. */
  state: TrainingState;
  /** Number of the epoch in which the checkpoint is written. */
  epoch: number;
  /** Learning rate of each optimizer before and after the schedule's factor. */
  baseRates: readonly number[];
  rates: readonly number[];
  /** Whether there is a schedule: then each optimizer has one in Lightning. */
  scheduled: boolean;
  /** Leave out everything that only training needs. */
  weightsOnly: boolean;
}

/**
 * Writes a checkpoint, whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written
 */
export async function writeTrainingCheckpoint(file: string, options: WriteOptions): Promise<void> {
  const { trainable, generator, callbacks, state, weightsOnly } = options;
  const stateDict = await trainable.model.stateDict();
  const optimizerStates = weightsOnly ? [] : await trainable.optimizerStates();
  const generatorState = await generator.getState();
  const weights = {
    // Lightning stores the epoch that it would begin next, also in the middle of one.
    epoch: options.epoch + 1,
    global_step: state.globalStep,
    state_dict: stateDict,
  };
  const stateful = callbacks.filter((c) => c.stateKey !== undefined && c.state !== undefined);
  const training = {
    callbacks: Object.fromEntries(stateful.map((c) => [c.stateKey, c.state!()])),
    optimizer_states: optimizerStates,
    lr_schedulers: options.scheduled ? options.baseRates.map((_, i) => schedulerState(options, i)) : [],
    node_ldm: { ...state, generator: generatorState },
  };
  try {
    await writeCheckpoint(file, weightsOnly ? weights : { ...weights, ...training });
  } finally {
    // Handles only: the model and its optimizers keep what they refer to.
    for (const tensor of stateDict.values()) tensor.dispose();
    disposeOptimizerStates(optimizerStates);
    generatorState.dispose();
  }
}

/** The `state_dict` of torch's LambdaLR for one optimizer. */
function schedulerState({ state, baseRates, rates }: WriteOptions, optimizer: number): Record<string, unknown> {
  return {
    base_lrs: [baseRates[optimizer]],
    last_epoch: state.globalStep,
    verbose: false,
    _step_count: state.globalStep + 1,
    _get_lr_called_within_step: false,
    _last_lr: [rates[optimizer]],
    lr_lambdas: [{}],
  };
}

/**
 * Restores everything that a checkpoint holds. One that Lightning wrote has no place in the data: training goes on with
 * the epoch that it names and with a fresh generator.
 * @returns where the run stands
 * @throws LdmError ERR_CHECKPOINT when the file has weights only, ERR_MISSING_KEYS when it belongs to another model
 */
export async function loadTrainingCheckpoint(file: string, parts: TrainingParts): Promise<TrainingState> {
  const { trainable, generator, callbacks } = parts;
  using checkpoint = await readCheckpoint(file);
  if (checkpoint.globalStep === null || checkpoint.optimizerStates.length === 0)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `${file} holds weights only, no optimizer states. To start a new training from these weights use model.params.ckpt_path=${file}.`,
    );
  await trainable.model.loadStateDict(checkpoint.stateDict, { source: file });
  await trainable.loadOptimizerStates(checkpoint.optimizerStates);
  const stored = mapOf(checkpoint.extra.get('callbacks'));
  for (const callback of callbacks) {
    const state = callback.stateKey === undefined ? undefined : mapOf(stored?.get(callback.stateKey));
    if (state) callback.loadState?.(new Map([...state].map(([k, v]) => [String(k), v])));
  }
  return await restorePlace(checkpoint, generator);
}

async function restorePlace(checkpoint: Checkpoint, generator: Generator): Promise<TrainingState> {
  const globalStep = checkpoint.globalStep!;
  const own = mapOf(checkpoint.extra.get('node_ldm'));
  if (!own) return { epoch: checkpoint.epoch ?? 0, position: 0, batchIdx: 0, globalStep };
  const random = own.get('generator');
  if (random !== null && typeof random === 'object' && 'tensor' in random) await generator.setState(random.tensor());
  const number = (key: string) => Number(own.get(key) ?? 0);
  return { epoch: number('epoch'), position: number('position'), batchIdx: number('batchIdx'), globalStep };
}

function mapOf(value: PlainValue | undefined): ReadonlyMap<PlainValue, PlainValue> | undefined {
  return value instanceof Map ? value : undefined;
}
