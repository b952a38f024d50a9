/** The states of optimizers; checkpoints and the native optimizers both have them in the form of torch's state_dict. */
import type { OptimizerState } from '../checkpoint';
import { Tensor } from '../tensor';

/** Frees the tensor handles of states that are not used any more; the optimizer keeps its own. */
export function disposeOptimizerStates(states: readonly OptimizerState[]): void {
  for (const { state } of states)
    for (const entry of Object.values(state))
      for (const value of Object.values(entry)) if (value instanceof Tensor) value.dispose();
}
