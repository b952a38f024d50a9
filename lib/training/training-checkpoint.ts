/**
 * Checkpoints of training in the form of PyTorch Lightning 1.4, which the reference writes and reads: `epoch`,
 * `global_step`, `state_dict`, `optimizer_states`, `lr_schedulers`, `callbacks`. Under `node_ldm` stands what Lightning does
 * not keep and an exact continuation needs: the place in the data and the random generator.
 */
import { type Checkpoint, type OptimizerState, type PlainValue, readCheckpoint, writeCheckpoint } from '../checkpoint';
import { LdmError } from '../errors';
import type { Module } from '../models/module';
import type { Generator } from '../random';
import { callbackStates, disposeStates, loadCallbackStates } from './callback-states';
import type { Callback } from './callbacks/callback';
import { loadFittingState } from './ema-state';
import type { LearningRates } from './learning-rates';
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
  rates: LearningRates;
  onInfo?: (message: string) => void;
}

export interface WriteOptions extends TrainingParts {
  /** Where a resumed run begins. */
  state: TrainingState;
  /** How much of the run is over, 0 to 1. */
  fraction: number;
  /** Leave out everything that only training needs. */
  weightsOnly: boolean;
}

/**
 * Writes a checkpoint, whole or not at all. Tensors go to the file one by one, from where they are.
 * @throws LdmError ERR_FILE when it cannot be written
 */
export async function writeTrainingCheckpoint(file: string, options: WriteOptions): Promise<void> {
  const { trainable, generator, callbacks, rates, state, weightsOnly } = options;
  const stateDict = await trainable.model.stateDict();
  const weights = {
    // Lightning stores the epoch that it would begin next, also in the middle of one.
    epoch: state.position === 0 ? state.epoch : state.epoch + 1,
    global_step: state.globalStep,
    state_dict: stateDict,
  };
  const optimizerStates = weightsOnly ? [] : await trainable.optimizerStates();
  const scaler = weightsOnly ? null : await trainable.scalerState();
  const generatorState = await generator.getState();
  const callbackEntries = weightsOnly ? {} : callbackStates(callbacks);
  const training = {
    callbacks: callbackEntries,
    optimizer_states: withRates(optimizerStates, rates, rates.at(state.globalStep, options.fraction)),
    lr_schedulers: rates.lambdaStates(state.globalStep),
    ...(scaler === null ? {} : { native_amp_scaling_state: scaler }),
    node_ldm: { ...state, generator: generatorState },
  };
  try {
    await writeCheckpoint(file, weightsOnly ? weights : { ...weights, ...training });
  } finally {
    // Handles only: the model and its optimizers keep what they refer to.
    for (const tensor of stateDict.values()) tensor.dispose();
    disposeOptimizerStates(optimizerStates);
    disposeStates(callbackEntries);
    generatorState.dispose();
  }
}

/** The rates of the next step in the states of optimizers, and as `initial_lr` those before the schedule, as LambdaLR leaves them. */
function withRates(states: readonly OptimizerState[], rates: LearningRates, next: readonly number[]): OptimizerState[] {
  return states.map(({ state, param_groups: groups }, i) => {
    const { params, ...group } = groups[0];
    const initial: Record<string, number> = rates.scheduled ? { initial_lr: rates.bases[i] } : {};
    return { state, param_groups: [{ ...group, lr: next[i], ...initial, params }] };
  });
}

/**
 * Restores everything that a checkpoint holds. One that Lightning wrote has no place in the data: training goes on with
 * the epoch that it names and with a fresh generator.
 * @returns where the run stands
 * @throws LdmError ERR_CHECKPOINT when the file has weights only, ERR_MISSING_KEYS when it belongs to another model
 */
export async function loadTrainingCheckpoint(file: string, parts: TrainingParts): Promise<TrainingState> {
  const { trainable, generator, callbacks, rates } = parts;
  using checkpoint = await readCheckpoint(file);
  if (checkpoint.globalStep === null || checkpoint.optimizerStates.length === 0)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `${file} holds weights only, no optimizer states. To start a new training from these weights use model.params.ckpt_path=${file}.`,
    );
  const note = await loadFittingState(trainable.model, checkpoint.stateDict, file);
  if (note !== null) parts.onInfo?.(note);
  await trainable.loadOptimizerStates(checkpoint.optimizerStates);
  const scaler = checkpoint.extra.get('native_amp_scaling_state');
  if (scaler instanceof Map) await trainable.loadScalerState(Object.fromEntries(scaler) as Record<string, number>);
  rates.restore(checkpoint.globalStep, checkpoint);
  await loadCallbackStates(callbacks, checkpoint.extra.get('callbacks'));
  return await restorePlace(checkpoint, generator);
}

/** Loads the weights of a checkpoint of whatever kind, and tells what it counted. */
export async function loadWeights(
  model: Module,
  file: string,
): Promise<{ globalStep: number | null; epoch: number | null }> {
  using checkpoint = await readCheckpoint(file);
  await loadFittingState(model, checkpoint.stateDict, file);
  return { globalStep: checkpoint.globalStep, epoch: checkpoint.epoch };
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
