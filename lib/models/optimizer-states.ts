/** Optimizer states between checkpoints (torch's state_dict, read into maps) and the native optimizers. */
import type { OptimizerState } from '../checkpoint';
import { Tensor } from '../tensor';

/** What the native `Optimizer` calls its state: torch's keys, indices as strings. */
interface NativeOptimizerState {
  state: Record<string, Record<string, number | boolean | Tensor>>;
  param_groups: OptimizerState['paramGroups'];
}

/** From the native side to what {@link writeLightningCheckpoint} takes. The tensors are the live ones. @internal */
export function fromNativeOptimizerState(native: NativeOptimizerState): OptimizerState {
  return {
    state: new Map(Object.entries(native.state).map(([index, entry]) => [Number(index), entry])),
    paramGroups: native.param_groups,
  };
}

/** From a checkpoint to the native side. @internal */
export function toNativeOptimizerState(state: OptimizerState): NativeOptimizerState {
  return {
    state: Object.fromEntries([...state.state].map(([index, entry]) => [String(index), { ...entry }])),
    param_groups: state.paramGroups,
  };
}

/** Frees the tensor handles of states that are not used any more; the optimizer keeps its own. */
export function disposeOptimizerStates(states: readonly OptimizerState[]): void {
  for (const { state } of states)
    for (const entry of state.values())
      for (const value of Object.values(entry)) if (value instanceof Tensor) value.dispose();
}
