/** Logged scalars as the reference stores them. */
import { Tensor } from '../../../lib/tensor';

/** What the reference logs as Python numbers; everything else are float32 tensors. */
const PYTHON_NUMBERS = new Set(['global_step', 'lr_abs']);

/** A logged value with the dtype that the reference gives it. */
export function logged(name: string, value: Tensor | number): Tensor | number {
  return typeof value === 'number' && !PYTHON_NUMBERS.has(name) ? Tensor.full([], value) : value;
}
