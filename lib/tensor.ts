/**
 * Tensor: a handle of an n-dimensional array that lives in libtorch. Methods queue work on the device's executor thread
 * and return a new handle at once; shapes are checked at once; {@link Tensor.data} is a promise. The names are PyTorch's
 * in camelCase.
 */
import { types } from 'node:util';
import { LdmError } from './errors';
import { type CallOptions, gradEnabled, type RandomSource, toLdmError } from './job';
import { type DType, type NativeTensor, type NativeValue, native, type TensorData } from './native';

export type { DType, TensorData } from './native';

export interface TensorOptions {
  /** Default: by the kind of array given; float32 for number arrays. */
  dtype?: DType;
  /** 'cpu' (default), 'cuda', 'cuda:1'. */
  device?: string;
  /** Record operations on this tensor for {@link Tensor.backward}. Default false. */
  requiresGrad?: boolean;
}

type NestedNumbers = number | readonly NestedNumbers[];

/** Queues the tensor function `name`. @internal */
export function op(name: string, args: readonly NativeValue[], random?: RandomSource | null): Tensor {
  try {
    return new Tensor(native().op(name, args, { grad: gradEnabled(), random: random?.native ?? null }));
  } catch (error) {
    throw toLdmError(error);
  }
}

const dtypeOfArray = (data: ArrayBufferView): DType => {
  if (types.isFloat32Array(data)) return 'float32';
  if (types.isFloat64Array(data)) return 'float64';
  if (types.isBigInt64Array(data)) return 'int64';
  if (types.isInt32Array(data)) return 'int32';
  if (types.isInt16Array(data)) return 'int16';
  if (types.isInt8Array(data)) return 'int8';
  if (types.isUint8Array(data) || types.isUint8ClampedArray(data)) return 'uint8';
  throw new LdmError(
    'ERR_INVALID_ARGUMENT',
    `Expected a typed array that determines a dtype but received ${data.constructor.name}; pass the dtype as an option`,
  );
};

const arrayFor = (dtype: DType, n: number): any => {
  switch (dtype) {
    case 'float32':
      return new Float32Array(n);
    case 'float64':
      return new Float64Array(n);
    case 'int64':
      return new BigInt64Array(n);
    case 'int32':
      return new Int32Array(n);
    case 'int16':
      return new Int16Array(n);
    case 'int8':
      return new Int8Array(n);
    case 'uint8':
    case 'bool':
      return new Uint8Array(n);
    default:
      return undefined;
  }
};

/** An n-dimensional array. Dispose of big ones (or use `using`): they live outside of the JavaScript heap. */
export class Tensor {
  /** @internal */
  readonly native: NativeTensor;

  /** @internal Use {@link Tensor.from} and friends. */
  constructor(handle: NativeTensor) {
    this.native = handle;
  }

  // ------------------------------------------------------------------------------------------------ creation
  /**
   * From a typed array (copied) with a shape (default: one dimension), or from nested number arrays.
   * Uint16Array holds raw float16 or bfloat16 bits and needs `dtype`.
   * @throws LdmError ERR_INVALID_ARGUMENT when length and shape do not fit
   */
  static from(data: ArrayBufferView | NestedNumbers, shape?: readonly number[], options: TensorOptions = {}): Tensor {
    let array: ArrayBufferView;
    let dims = shape;
    let dtype = options.dtype;
    if (ArrayBuffer.isView(data)) {
      array = data;
      dtype ??= dtypeOfArray(data);
      dims ??= [(data as unknown as { length: number }).length];
    } else {
      const flat: number[] = [];
      const found: number[] = [];
      flatten(data, 0, flat, found);
      dims ??= found;
      dtype ??= 'float32';
      const direct = arrayFor(dtype, flat.length);
      if (!direct) return Tensor.from(Float32Array.from(flat), dims, { ...options, dtype: 'float32' }).to({ dtype });
      for (let i = 0; i < flat.length; i++) direct[i] = dtype === 'int64' ? BigInt(flat[i]) : flat[i];
      array = direct;
    }
    try {
      const t = new Tensor(native().fromData(array, dims, dtype, options.device ?? 'cpu'));
      return options.requiresGrad ? t.requiresGrad_(true) : t;
    } catch (error) {
      throw toLdmError(error);
    }
  }

  static zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
    return Tensor.full(shape, 0, options);
  }
  static ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
    return Tensor.full(shape, 1, options);
  }
  static full(shape: readonly number[], value: number, options: TensorOptions = {}): Tensor {
    const t = op('full', [shape, value, options.dtype ?? 'float32', options.device ?? 'cpu']);
    return options.requiresGrad ? t.requiresGrad_(true) : t;
  }
  /** 0, 1, ..., n - 1 (int64 unless told otherwise), or from `start` to `end` (exclusive) by `step`. */
  static arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
    const [a, b] = end === undefined ? [0, start] : [start, end];
    return op('arange', [a, b, step, options.dtype ?? 'int64', options.device ?? 'cpu']);
  }
  /** Standard normal numbers; `seed` or `random` make them reproducible (PyTorch's stream). */
  static randn(
    shape: readonly number[],
    options: TensorOptions & { seed?: number | bigint; random?: RandomSource } = {},
  ): Tensor {
    return Tensor.#random('randn', shape, options);
  }
  /** Uniform numbers in [0, 1). */
  static rand(
    shape: readonly number[],
    options: TensorOptions & { seed?: number | bigint; random?: RandomSource } = {},
  ): Tensor {
    return Tensor.#random('rand', shape, options);
  }
  static #random(
    kind: string,
    shape: readonly number[],
    options: TensorOptions & { seed?: number | bigint; random?: RandomSource },
  ): Tensor {
    const device = options.device ?? 'cpu';
    const seeded = options.seed === undefined ? null : native().generator(options.seed, device);
    const random = options.random ?? (seeded && { native: seeded });
    const t = op(kind, [shape, options.dtype ?? 'float32', device], random);
    seeded?.dispose();
    return options.requiresGrad ? t.requiresGrad_(true) : t;
  }
  /** Concatenates along an existing dimension. */
  static cat(tensors: readonly Tensor[], dim = 0): Tensor {
    return op('cat', [tensors.map((t) => t.native), dim]);
  }
  /** Stacks along a new dimension. */
  static stack(tensors: readonly Tensor[], dim = 0): Tensor {
    return op('stack', [tensors.map((t) => t.native), dim]);
  }

  // ------------------------------------------------------------------------------------------------ properties
  get shape(): number[] {
    return this.native.shape;
  }
  get dtype(): DType {
    return this.native.dtype;
  }
  get device(): string {
    return this.native.device;
  }
  get requiresGrad(): boolean {
    return this.native.requiresGrad;
  }
  get disposed(): boolean {
    return this.native.disposed;
  }
  /** Number of elements. */
  get numel(): number {
    return this.native.shape.reduce((a, b) => a * b, 1);
  }
  /** Number of dimensions. */
  get dim(): number {
    return this.native.shape.length;
  }

  // ------------------------------------------------------------------------------------------------ reading
  /** The elements in row-major order. float16 and bfloat16 come as raw bits (Uint16Array): cast first for numbers. */
  async data(): Promise<TensorData> {
    try {
      return await native().data(this.native);
    } catch (error) {
      throw toLdmError(error);
    }
  }
  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.numel !== 1)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a tensor of one element but this one has shape [${this.shape}]`,
      );
    using t = this.to({ dtype: 'float64', device: 'cpu' });
    return Number((await t.data())[0]);
  }
  /** Nested number arrays. */
  async toArray(): Promise<any> {
    using t = this.to({ dtype: 'float64', device: 'cpu' });
    const flat = (await t.data()) as Float64Array;
    let at = 0;
    const build = (d: number): any =>
      d === this.shape.length ? flat[at++] : Array.from({ length: this.shape[d] }, () => build(d + 1));
    return build(0);
  }
  /** Settles when the value is computed; rejects with its error. */
  async ready(): Promise<this> {
    try {
      await native().ready(this.native);
    } catch (error) {
      throw toLdmError(error);
    }
    return this;
  }

  // ------------------------------------------------------------------------------------------------ shape
  /** Same elements, new shape; one entry may be -1. */
  reshape(...shape: number[] | [readonly number[]]): Tensor {
    return op('reshape', [this.native, numbers(shape)]);
  }
  permute(...dims: number[] | [readonly number[]]): Tensor {
    return op('permute', [this.native, numbers(dims)]);
  }
  /** Elements `start` (inclusive) to `end` (exclusive) along `dim`. */
  slice(dim: number, start: number, end: number, step = 1): Tensor {
    return op('slice', [this.native, dim, start, end, step]);
  }
  /** One index along `dim`, which disappears. */
  select(dim: number, index: number): Tensor {
    return op('select', [this.native, dim, index]);
  }
  /** Rows by an int64 tensor of indices along `dim`. */
  indexSelect(dim: number, index: Tensor): Tensor {
    return op('index_select', [this.native, dim, index.native]);
  }
  squeeze(dim: number): Tensor {
    return op('squeeze', [this.native, dim]);
  }
  unsqueeze(dim: number): Tensor {
    return op('unsqueeze', [this.native, dim]);
  }
  expand(...shape: number[] | [readonly number[]]): Tensor {
    return op('expand', [this.native, numbers(shape)]);
  }
  flip(...dims: number[]): Tensor {
    return op('flip', [this.native, dims]);
  }
  contiguous(): Tensor {
    return op('contiguous', [this.native]);
  }

  // ------------------------------------------------------------------------------------------------ arithmetic
  add(other: Tensor | number): Tensor {
    return op('add', [this.native, operand(other)]);
  }
  sub(other: Tensor | number): Tensor {
    return op('sub', [this.native, operand(other)]);
  }
  mul(other: Tensor | number): Tensor {
    return op('mul', [this.native, operand(other)]);
  }
  div(other: Tensor | number): Tensor {
    return op('div', [this.native, operand(other)]);
  }
  pow(other: Tensor | number): Tensor {
    return op('pow', [this.native, operand(other)]);
  }
  matmul(other: Tensor): Tensor {
    return op('matmul', [this.native, other.native]);
  }
  neg(): Tensor {
    return op('neg', [this.native]);
  }
  abs(): Tensor {
    return op('abs', [this.native]);
  }
  sqrt(): Tensor {
    return op('sqrt', [this.native]);
  }
  exp(): Tensor {
    return op('exp', [this.native]);
  }
  log(): Tensor {
    return op('log', [this.native]);
  }
  clamp(min: number | null, max: number | null): Tensor {
    return op('clamp', [this.native, min, max]);
  }
  round(): Tensor {
    return op('round', [this.native]);
  }
  // reductions: over all elements, or over `dims`
  sum(dims?: number | readonly number[], keepdim = false): Tensor {
    return op('sum', [this.native, dimList(dims), keepdim]);
  }
  mean(dims?: number | readonly number[], keepdim = false): Tensor {
    return op('mean', [this.native, dimList(dims), keepdim]);
  }
  /** Unbiased standard deviation, as torch.std. */
  std(dims?: number | readonly number[], keepdim = false): Tensor {
    return op('std', [this.native, dimList(dims), keepdim]);
  }
  min(dims?: number | readonly number[], keepdim = false): Tensor {
    return op('amin', [this.native, dimList(dims), keepdim]);
  }
  max(dims?: number | readonly number[], keepdim = false): Tensor {
    return op('amax', [this.native, dimList(dims), keepdim]);
  }
  argmax(dim: number): Tensor {
    return op('argmax', [this.native, dim]);
  }
  /** Elementwise comparison: a bool tensor. */
  eq(other: Tensor | number): Tensor {
    return op('eq', [this.native, operand(other)]);
  }

  // ------------------------------------------------------------------------------------------------ conversion
  /** Casts and moves; returns this tensor's values unchanged where nothing is to do. */
  to(options: { dtype?: DType; device?: string }): Tensor {
    return op('to', [this.native, options.dtype ?? null, options.device ?? null]);
  }
  clone(): Tensor {
    return op('clone', [this.native]);
  }
  /** Same values outside of the graph. */
  detach(): Tensor {
    return op('detach', [this.native]);
  }

  // ------------------------------------------------------------------------------------------------ autograd
  /** Turns recording on or off for this leaf. Returns this handle. */
  requiresGrad_(on: boolean): this {
    try {
      native().op('requires_grad_', [this.native, on], { grad: true }).dispose();
    } catch (error) {
      throw toLdmError(error);
    }
    return this;
  }
  /** Accumulates gradients into the leaves of this tensor's graph. `gradient` is needed unless it has one element. */
  async backward(gradient?: Tensor | null, options: { retainGraph?: boolean } = {}): Promise<void> {
    try {
      await native().backward(this.native, gradient?.native ?? null, options.retainGraph ?? false);
    } catch (error) {
      throw toLdmError(error);
    }
  }
  /** The gradient that {@link backward} accumulated into this leaf, or null. */
  async grad(): Promise<Tensor | null> {
    try {
      const g = await native().grad(this.native);
      return g ? new Tensor(g) : null;
    } catch (error) {
      throw toLdmError(error);
    }
  }

  // ------------------------------------------------------------------------------------------------ lifetime
  /** Frees the value as soon as no queued job needs it. Calling it twice does nothing. */
  dispose(): void {
    this.native.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
  toString(): string {
    return `Tensor(shape=[${this.shape.join(', ')}], dtype=${this.dtype}, device=${this.device})`;
  }
}

function operand(other: Tensor | number): NativeValue {
  return typeof other === 'number' ? other : other.native;
}

function numbers(list: readonly (number | readonly number[])[]): number[] {
  return list.flat() as number[];
}

function dimList(dims?: number | readonly number[]): number[] | null {
  return dims === undefined ? null : typeof dims === 'number' ? [dims] : [...dims];
}

function flatten(data: NestedNumbers, depth: number, flat: number[], shape: number[]): void {
  if (typeof data === 'number') {
    if (depth !== shape.length) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected nested arrays of equal depth');
    flat.push(data);
    return;
  }
  if (!Array.isArray(data))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected numbers, nested arrays or a typed array but received ${typeof data}`,
    );
  if (shape.length === depth) {
    if (flat.length) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected nested arrays of equal depth');
    shape.push(data.length);
  } else if (shape[depth] !== data.length) {
    throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected nested arrays of equal length');
  }
  for (const item of data) flatten(item, depth + 1, flat, shape);
}

/** Wraps every native tensor in a result tree. @internal */
export function wrapTensors(value: any): any {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(wrapTensors);
  if (isNativeTensor(value)) return new Tensor(value);
  if (isNativeObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, wrapTensors(v)]));
}

/** Replaces every Tensor (and object with a native handle) in an argument tree by its handle. @internal */
export function unwrapTensors(value: any): NativeValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(unwrapTensors);
  if (isNativeTensor(value) || isNativeObject(value)) return value;
  if (value.native && (isNativeTensor(value.native) || isNativeObject(value.native))) return value.native;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unwrapTensors(v)]));
}

const isNativeTensor = (value: any): value is NativeTensor => value?.constructor?.name === 'NativeTensor';
const isNativeObject = (value: any) => value?.constructor?.name === 'NativeObject';

export type { CallOptions };
