/** What the diffusion kinds share. */
import type { Module } from '../../../../lib/models';
import { op, type Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';
import { logged } from '../../runner/logged';

/** The batch of a case: its inputs, images without their `_nhwc`. */
export function batchOf(c: GoldenCase, names = [...c.inputs().keys()]): Record<string, Tensor> {
  return Object.fromEntries(names.map((name) => [name.replace(/_nhwc$/, ''), c.input(name)]));
}

/** Deterministic values as spec/detweights.py gives them. */
export function detValues(c: GoldenCase, name: string, shape: readonly number[]): Tensor {
  return op('detweights', [name, [...shape], c.meta.det_weights_seed, 'float32', 'cpu']);
}

/** Overwrites tensors of a model. */
export async function put(model: Module, values: Record<string, Tensor>): Promise<void> {
  await model.loadStateDict(new Map(Object.entries(values)), { strict: false });
}

/** Reports each logged value under `prefix` + name. */
export async function outAll(
  c: GoldenCase,
  prefix: string,
  values: Readonly<Record<string, Tensor | number>>,
): Promise<void> {
  for (const [name, value] of Object.entries(values)) await c.out(prefix + name, logged(name, value));
}
