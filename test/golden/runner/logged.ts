/** Logged scalars as the reference stores them. */
import { Tensor } from '../../../lib/tensor';

/** What the reference logs as Python numbers or as int64 tensors; everything else are float32 tensors. */
const KEPT = /^(global_step|lr_abs)$|\/cluster_usage$/;

/** A logged value with the dtype that the reference gives it. */
export function logged(name: string, value: Tensor | number): Tensor | number {
  return typeof value === 'number' && !KEPT.test(name) ? Tensor.full([], value) : value;
}
