/** Weights and inputs that follow from a name, a shape and a seed, so that the peer has the same (bench/peers/deterministic.py). */
import type { Module } from '../models/module';
import { op, type Tensor } from '../tensor';
import type { SideContext } from './workload';

const SEED = 1;

/** Gives every parameter its value, one at a time; buffers keep theirs. */
export async function fill(module: Module): Promise<void> {
  for (const [name, tensor] of await module.namedParameters()) {
    using value = op('detweights', [name, tensor.shape, SEED, 'float32', 'cpu']);
    await module.loadStateDict(new Map([[name, value]]), { strict: false });
    tensor.dispose();
  }
}

/** A model for inference as the commands open it: its weights are in the number format that it computes in. */
export async function forInference(module: Module, { device, precision }: SideContext): Promise<void> {
  await fill(module);
  await module.eval();
  if (precision === 'bf16' && device === 'cpu') await module.compact('bfloat16');
}

/** Uniform in (-1, 1). */
export function inputs(name: string, shape: readonly number[], device = 'cpu'): Tensor {
  const count = shape.reduce((product, n) => product * n, 1);
  return op('detweights', [name, [count], SEED, 'float32', 'cpu'])
    .mul(10)
    .reshape(shape)
    .to({ device });
}
