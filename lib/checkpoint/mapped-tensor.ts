/** Tensors that lie in a file: their layout is checked against their storage, their data is mapped on demand. */
import { toLdmError } from '../job';
import { type NativeObject, native } from '../native';
import { type DType, Tensor } from '../tensor';
import { damaged } from './errors';
import type { CheckpointDType, FileTensor } from './types';

/** Bytes of one element. */
export const ITEM_SIZE: Record<CheckpointDType, number> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
  complex64: 8,
};

/** Beyond this many elements a view may not have more elements than its storage (a real expand() never gets there). */
const LARGEST_EXPANSION = 2 ** 24;
/** torch's own limit. */
export const MOST_DIMENSIONS = 64;

/** Bytes that the tensors of a file may have together: views share storages, but not without end. */
const ALWAYS_ALLOWED = 256 << 20;
const MOST_SHARING = 16;

/** The files that a checkpoint's tensors view, each mapped once. */
export class Mappings {
  #allowance: number;
  readonly #maps = new Map<string, NativeObject>();
  readonly #tensors: Tensor[] = [];
  #closed = false;

  /** @param fileSize bytes of the checkpoint */
  constructor(fileSize: number) {
    this.#allowance = ALWAYS_ALLOWED + MOST_SHARING * fileSize;
  }
  /** Counts a tensor's bytes. @throws LdmError ERR_CHECKPOINT when they are absurdly more than the file has */
  claim(bytes: number, file: string): void {
    this.#allowance -= bytes;
    if (this.#allowance < 0) throw damaged(file, 'its tensors have far more bytes than the file: views without end');
  }
  map(file: string): NativeObject {
    if (this.#closed) throw damaged(file, 'this checkpoint was disposed of; read it again');
    let handle = this.#maps.get(file);
    if (!handle) {
      try {
        handle = native().mapFile(file);
      } catch (error) {
        throw toLdmError(error);
      }
      this.#maps.set(file, handle);
    }
    return handle;
  }
  /** Disposes of the tensor together with the mappings. */
  own(tensor: Tensor): Tensor {
    this.#tensors.push(tensor);
    return tensor;
  }
  dispose(): void {
    this.#closed = true;
    for (const tensor of this.#tensors) tensor.dispose();
    for (const handle of this.#maps.values()) handle.dispose();
    this.#tensors.length = 0;
    this.#maps.clear();
  }
}

/** A run of elements in a file. */
export interface Storage {
  readonly dtype: CheckpointDType;
  /** Elements that it holds. */
  readonly numel: number;
  /** Where its bytes are; known when the whole header has been read. */
  location(): { file: string; byteOffset: number; bigEndian: boolean };
}

/** A strided view of a storage. */
export class MappedTensor implements FileTensor {
  #handle: Tensor | undefined;

  /** @throws LdmError ERR_CHECKPOINT when the view does not lie within its storage */
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly mappings: Mappings,
    file: string,
  ) {
    const wrong = problemOf(storage.numel, offset, shape, strides);
    if (wrong) throw damaged(file, `holds a tensor ${wrong}`);
    mappings.claim(this.bytes, file);
  }
  get dtype(): CheckpointDType {
    return this.storage.dtype;
  }
  get bytes(): number {
    return this.shape.reduce((a, b) => a * b, 1) * ITEM_SIZE[this.dtype];
  }
  tensor(): Tensor {
    this.#handle ??= this.mappings.own(this.open());
    return this.#handle;
  }
  open(): Tensor {
    const complex = this.dtype === 'complex64';
    const parts = complex ? 2 : 1;
    const dtype: DType = this.dtype === 'complex64' ? 'float32' : this.dtype;
    const shape = complex ? [...this.shape, 2] : [...this.shape];
    if (shape.includes(0)) return Tensor.zeros(shape, { dtype });
    const { file, byteOffset, bigEndian } = this.storage.location();
    try {
      return new Tensor(
        native().fromFile(this.mappings.map(file), {
          byteOffset,
          storageNumel: this.storage.numel * parts,
          storageOffset: this.offset * parts,
          shape,
          strides: complex ? [...this.strides.map((s) => s * 2), 1] : [...this.strides],
          dtype,
          bigEndian,
        }),
      );
    } catch (error) {
      throw toLdmError(error);
    }
  }
}

/** Strides of a row-major tensor. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(shape[i], 1);
  }
  return strides;
}

/** Product of sizes, or undefined when it is no safe integer. */
export function elementsOf(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let n = 1;
  for (const size of shape) {
    n *= size;
    if (!Number.isSafeInteger(n)) return undefined;
  }
  return n;
}

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

function problemOf(
  numel: number,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): string | undefined {
  const text = `of shape [${shape.slice(0, 8)}], strides [${strides.slice(0, 8)}], offset ${offset}`;
  if (shape.length !== strides.length) return `${text}: shape and strides differ in length`;
  if (shape.length > MOST_DIMENSIONS) return `of ${shape.length} dimensions (at most ${MOST_DIMENSIONS} are allowed)`;
  if (!isCount(offset) || !shape.every(isCount) || !strides.every(isCount))
    return `${text}: expected non-negative integers`;
  const elements = elementsOf(shape);
  if (elements === undefined) return `${text}: too many elements`;
  if (elements === 0) return undefined;
  let last = offset;
  for (let i = 0; i < shape.length; i++) last += (shape[i] - 1) * strides[i];
  if (!Number.isSafeInteger(last) || last >= numel)
    return `${text} that reaches outside of its storage of ${numel} elements`;
  if (elements > numel && elements > LARGEST_EXPANSION)
    return `${text}: ${elements} elements over a storage of ${numel}`;
  return undefined;
}
