/** Optimizer states between checkpoints and the native optimizers: both have the form of torch's state_dict. */
import type { OptimizerState } from '../checkpoint';
import { Tensor } from '../tensor';
import type { AdamState } from '../training/optimizer';

/** From the native side to what a checkpoint holds. The tensors are the live ones. @internal */
export function fromNativeOptimizerState(native: AdamState): OptimizerState {
  return native as unknown as OptimizerState;
}

/** From a checkpoint, or from an optimizer, to the native side. @internal */
export function toNativeOptimizerState(state: OptimizerState | AdamState): AdamState {
  return state as AdamState;
}

/** Frees the tensor handles of states that are not used any more; the optimizer keeps its own. */
export function disposeOptimizerStates(states: readonly OptimizerState[]): void {
  for (const { state } of states)
    for (const entry of Object.values(state))
      for (const value of Object.values(entry)) if (value instanceof Tensor) value.dispose();
}
