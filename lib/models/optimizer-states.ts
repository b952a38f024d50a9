/** Optimizer states between checkpoints (torch's state_dict, read into maps) and the native optimizers. */
import type { OptimizerState } from '../checkpoint';
import { Tensor } from '../tensor';
import type { AdamState } from '../training/optimizer';

/** From the native side to what a checkpoint holds. The tensors are the live ones. @internal */
export function fromNativeOptimizerState(native: AdamState): OptimizerState {
  return {
    state: new Map(Object.entries(native.state).map(([index, entry]) => [Number(index), { ...entry }])),
    paramGroups: native.param_groups as unknown as OptimizerState['paramGroups'],
  };
}

/** From a checkpoint, or from an optimizer, to the native side. @internal */
export function toNativeOptimizerState(state: OptimizerState | AdamState): AdamState {
  if ('param_groups' in state) return state;
  return {
    state: Object.fromEntries(state.state) as unknown as AdamState['state'],
    param_groups: state.paramGroups as unknown as AdamState['param_groups'],
  };
}

/** Frees the tensor handles of states that are not used any more; the optimizer keeps its own. */
export function disposeOptimizerStates(states: readonly OptimizerState[]): void {
  for (const { state } of states)
    for (const entry of state.values())
      for (const value of Object.values(entry)) if (value instanceof Tensor) value.dispose();
}
