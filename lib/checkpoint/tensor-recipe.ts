/** Tensors that are made when they are written, so that a large file passes through little memory. */
import { LdmError } from '../errors';
import { type DType, Tensor } from '../tensor';
import type { CheckpointDType, FileTensor } from './types';

/** A tensor while it is written; disposing of it frees what was made for it. */
export interface MadeTensor {
  tensor: Tensor;
  [Symbol.dispose](): void;
}

/** Dtype and shape of a tensor, and how to make it. */
export class TensorRecipe {
  /**
   * @param dtype of what is written; the tensor that `make` gives is cast to it. complex64 is given as pairs of float32
   * @param shape of what is written, without the dimension of those pairs
   * @param origin recipes of one origin are of the same tensor, which a file then holds once
   */
  constructor(
    readonly dtype: CheckpointDType,
    readonly shape: readonly number[],
    readonly make: () => MadeTensor,
    readonly origin?: object | string,
  ) {}

  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }
  /** The same in another dtype. @throws LdmError ERR_INVALID_ARGUMENT for complex tensors */
  as(dtype: DType): TensorRecipe {
    if (dtype === this.dtype) return this;
    if (this.dtype === 'complex64')
      throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a real tensor to cast to ${dtype} but received complex64`);
    return new TensorRecipe(dtype, this.shape, this.make);
  }
}

/** A recipe for a tensor that is there; the caller keeps it. */
export function recipeOf(tensor: Tensor): TensorRecipe {
  const make = () => ({ tensor, [Symbol.dispose]: () => {} });
  // Tied weights are one tensor under several names: they lie at one place.
  const { address } = tensor.native;
  const origin = address === null ? undefined : `${tensor.device} ${address} ${tensor.dtype} ${tensor.numel}`;
  return new TensorRecipe(tensor.dtype, tensor.shape, make, origin);
}

/** A recipe for a tensor of a file, which has to stay open until it is written. */
export function recipeFrom(source: FileTensor): TensorRecipe {
  return new TensorRecipe(source.dtype, source.shape, () => made(source.open()), source);
}

/** A recipe for what is computed from others; `dtype` and `shape` are those of the result. */
export function derived(
  sources: readonly TensorRecipe[],
  shape: readonly number[],
  compute: (tensors: Tensor[]) => Tensor,
): TensorRecipe {
  const { dtype } = sources[0];
  const make = () => {
    const parts = sources.map((source) => source.make());
    // a source that is read in another dtype is cast at the end: nothing here computes with the numbers
    return made(compute(parts.map((part) => part.tensor)), parts);
  };
  return new TensorRecipe(dtype, shape, make);
}

function made(tensor: Tensor, others: readonly Disposable[] = []): MadeTensor {
  return {
    tensor,
    [Symbol.dispose]: () => {
      tensor.dispose();
      for (const other of others) other[Symbol.dispose]();
    },
  };
}

/** What is given to writers: a tensor or a recipe. */
export const toRecipe = (value: Tensor | TensorRecipe): TensorRecipe =>
  value instanceof Tensor ? recipeOf(value) : value;
