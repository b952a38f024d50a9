/**
 * Checkpoints of training in the form of PyTorch Lightning 1.4, which the reference writes and reads: `epoch`,
 * `global_step`, `state_dict`, `optimizer_states`, `lr_schedulers`, `callbacks`. Under `node_ldm` stands what Lightning does
 * not keep and an exact continuation needs: the place in the data and the random generator.
 */
import { type Checkpoint, type PlainValue, readCheckpoint, writeCheckpoint } from '../checkpoint';
import { LdmError } from '../errors';
import type { Generator } from '../random';
import type { Callback } from './callbacks/callback';
import type { TrainableModel } from './trainable';

/** The Lightning version whose layout is written. */
const LIGHTNING_VERSION = '1.4.2';

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
  model: TrainableModel;
  generator: Generator;
  callbacks: readonly Callback[];
}

export interface WriteOptions extends TrainingParts {
  /** Where a resumed run begins. */
  state: TrainingState;
  /** Number of the epoch in which the checkpoint is written. */
  epoch: number;
  /** Learning rate before and after the schedule's factor. */
  learningRate: number;
  rate: number;
  optimizers: number;
  /** Leave out everything that only training needs. */
  weightsOnly: boolean;
}

/**
 * Writes a checkpoint, whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written
 */
export async function writeTrainingCheckpoint(file: string, options: WriteOptions): Promise<void> {
  const { model, generator, callbacks, state, weightsOnly } = options;
  const stateDict = await model.stateDict();
  const content: Record<string, unknown> = {
    // Lightning stores the epoch that it would begin next, also in the middle of one.
    epoch: options.epoch + 1,
    global_step: state.globalStep,
    'pytorch-lightning_version': LIGHTNING_VERSION,
    state_dict: stateDict,
  };
  if (!weightsOnly) {
    const generatorState = await generator.getState();
    const stateful = callbacks.filter((c) => c.stateKey !== undefined && c.state !== undefined);
    content.callbacks = new Map(stateful.map((c) => [c.stateKey!, new Map(Object.entries(c.state!()))]));
    content.optimizer_states = await model.optimizerStates();
    content.lr_schedulers = [schedulerState(options)];
    content.node_ldm = new Map<string, unknown>([...Object.entries(state), ['generator', generatorState]]);
  }
  await writeCheckpoint(file, content);
}

/** The state_dict of torch's LambdaLR. */
function schedulerState({ state, learningRate, rate, optimizers }: WriteOptions): Map<string, unknown> {
  return new Map<string, unknown>([
    ['base_lrs', Array(optimizers).fill(learningRate)],
    ['last_epoch', state.globalStep],
    ['_step_count', state.globalStep + 1],
    ['_last_lr', Array(optimizers).fill(rate)],
    ['lr_lambdas', [new Map()]],
  ]);
}

/**
 * Restores everything that a checkpoint holds. One that Lightning wrote has no place in the data: training goes on with
 * the epoch that it names and with a fresh generator.
 * @returns where the run stands
 * @throws LdmError ERR_CHECKPOINT when the file has weights only, ERR_MISSING_KEYS when it belongs to another model
 */
export async function loadTrainingCheckpoint(file: string, parts: TrainingParts): Promise<TrainingState> {
  const { model, generator, callbacks } = parts;
  using checkpoint = await readCheckpoint(file);
  if (checkpoint.globalStep === null || checkpoint.optimizerStates.length === 0)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `${file} holds weights only, no optimizer states. To start a new training from these weights use model.params.ckpt_path=${file}.`,
    );
  await model.loadStateDict(checkpoint.stateDict, { source: file });
  await model.loadOptimizerStates(checkpoint.optimizerStates);
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
