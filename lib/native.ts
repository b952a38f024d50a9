/**
 * The whole surface of the addon, typed in this one file, and its loader.
 *
 * The addon exports verbs, not classes: create, call, run, state, load, op, data. Everything above it is TypeScript.
 * `[sync]` functions return at once and only queue work; `[async]` ones settle when the executor thread of the device
 * has done the job. Every function throws or rejects with an {@link LdmError}.
 */
import { LdmError } from './errors';
import { loadAddon } from './native-loader';

/** Element types. bfloat16 and float16 data cross as Uint16Array (raw bits). */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/** A handle of a tensor that may still be being computed. */
export interface NativeTensor {
  readonly shape: number[];
  readonly dtype: DType;
  /** 'cpu', 'cuda:0', ... */
  readonly device: string;
  readonly requiresGrad: boolean;
  /**
   * Where the elements lie in the device's memory, which tells whether two tensors are one; null while they are being
   * computed, and where they do not lie in row-major order.
   */
  readonly address: number | null;
  readonly disposed: boolean;
  dispose(): void;
}

/** A handle of a native object: a module, an optimizer, a sampler, a random source, a mapped file. */
export interface NativeObject {
  /** The string that it was created from. */
  readonly target: string;
  readonly device: string;
  readonly disposed: boolean;
  /** Returns at once; a running job ends on its own reference. */
  dispose(): void;
}

/** What crosses the boundary in both directions. Integral numbers arrive in C++ as integers. */
export type NativeValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | NativeTensor
  | NativeObject
  | readonly NativeValue[]
  | { readonly [key: string]: NativeValue };

/** Opaque; see {@link Native.cancelToken}. */
export interface NativeCancelToken {
  cancel(): void;
}

/** The surroundings of a job. */
export interface JobOptions {
  /** Executor to use; default: the object's device, or 'cpu'. */
  device?: string;
  /** Random source (generator, tape or recorder); default: libtorch's default generator of the device. */
  random?: NativeObject | null;
  /** Whether a graph is recorded. Default false. */
  grad?: boolean;
  token?: NativeCancelToken | null;
  onProgress?: ((value: any) => void) | null;
  /** Autocast: 'fp32' (default, none), 'bf16' or 'fp16'. */
  precision?: 'fp32' | 'bf16' | 'fp16';
  /** Side in pixels of the tiles by which first stages work; 0 (default): images as a whole. */
  tile?: number;
  /** For create: 'random' (default) draws the reference's initialisation; 'empty' leaves weights as they are; 'meta' gives them no memory. */
  init?: 'random' | 'empty' | 'meta';
}

export interface StateEntry {
  name: string;
  parameter: boolean;
  tensor: NativeTensor;
}

export interface LoadReport {
  missing: string[];
  unexpected: string[];
  /** Name, shape of the model, shape of the file. */
  mismatched: { name: string; expected: number[]; found: number[] }[];
}

export interface NativeInfo {
  /** Version of libtorch at run time, such as '2.13.0'. */
  torchVersion: string;
  /** Version that the addon was compiled against. */
  builtFor: string;
  cuda: boolean;
  cudaDevices: string[];
  threads: number;
  targets: string[];
  ops: string[];
}

export interface NativeMemoryUsage {
  /** Live tensor handles and the bytes that they keep alive (views count once, with their base). */
  tensors: number;
  tensorBytes: number;
  /** Live native objects and the bytes of the parameters and buffers of modules among them. */
  objects: number;
  objectBytes: number;
  /** Jobs queued or running. */
  jobs: number;
  /** Resident set size of the process and its peak. */
  rss: number;
  peakRss: number;
}

/** How kernels are chosen, for the whole process. */
export interface BackendOptions {
  /** cuDNN measures and takes the fastest convolution for each new shape. Off unless set. */
  benchmark?: boolean;
  /** Only kernels that give the same numbers in every run. Off unless set. */
  deterministic?: boolean;
  /**
   * Where products of fp32 on CUDA may round their factors to TF32 (10 bits after the first): `off` for parity with fp32,
   * `convolutions` (the default, as in PyTorch), or `all`, matrix products too.
   */
  tf32?: 'off' | 'convolutions' | 'all';
  /**
   * Samplers on a GPU record the network's kernels in their second step and replay them in the others (CUDA graphs; libtorch 2.13 or
   * newer). ERR_DEVICE from a sampler elsewhere. Off unless set.
   */
  graphs?: boolean;
}

export interface Native {
  /** [sync] */
  info(): NativeInfo;
  /** [sync] Threads of one executor's parallel kernels; takes effect with the next job. */
  setThreads(device: string, threads: number): void;
  /** [sync] What is left out stays as it is. */
  configureBackend(options: BackendOptions): void;
  /** [sync] Whether the fast paths of native/kernels may be taken; see KernelPolicy. Holds for the whole process. */
  setFastKernels(on: boolean): void;
  /** [sync] */
  memoryUsage(): NativeMemoryUsage;

  /** [sync] Copies `data` (length = product of shape). */
  fromData(data: ArrayBufferView, shape: readonly number[], dtype: DType, device: string): NativeTensor;
  /** [sync] Queues a tensor function; shapes are checked now. `grad`: record a graph. */
  op(
    name: string,
    args: readonly NativeValue[],
    options: { grad?: boolean; random?: NativeObject | null },
  ): NativeTensor;
  /** [async] A typed array of the elements in row-major order. */
  data(tensor: NativeTensor): Promise<TensorData>;
  /** [async] Settles when the tensor is computed; rejects with its error. */
  ready(tensor: NativeTensor): Promise<void>;
  /** [async] */
  backward(tensor: NativeTensor, gradient: NativeTensor | null, retainGraph: boolean): Promise<void>;
  /** [async] The accumulated gradient of a leaf, or null. */
  grad(tensor: NativeTensor): Promise<NativeTensor | null>;

  /** [async] Creates what the registry knows under `target`; `params` must be complete. */
  create(target: string, params: NativeValue, options: JobOptions): Promise<NativeObject>;
  /** [async] Calls a method. */
  call(object: NativeObject, method: string, args: NativeValue, options: JobOptions): Promise<any>;
  /**
   * [async] Calls `method` again and again, each time as a job of its own, until it returns `{done: true}`; resolves with
   * the last value. Each value is also given to `onProgress`.
   */
  run(object: NativeObject, method: string, args: NativeValue, options: JobOptions): Promise<any>;
  /** [async] state_dict in Python's order. The tensors are the live ones, not copies. */
  state(object: NativeObject): Promise<StateEntry[]>;
  /** [async] Trainable parameters in order, each once. */
  namedParameters(object: NativeObject): Promise<StateEntry[]>;
  /**
   * [async] Copies (and casts) tensors into the state. When `requireAll` and a key is missing, unexpected or mis-shaped,
   * or `requireShapes` and one is mis-shaped, nothing is changed. The report tells in every case.
   */
  load(
    object: NativeObject,
    entries: Record<string, NativeTensor>,
    options: { requireAll: boolean; requireShapes: boolean },
  ): Promise<LoadReport>;
  /** [async] */
  to(object: NativeObject, device: string, dtype: DType | null): Promise<void>;
  /** [async] Cancels what runs or waits on the object, and settles when nothing does. */
  close(object: NativeObject): Promise<void>;

  /** [sync] A file mapped read-only (copy on write). */
  mapFile(path: string): NativeObject;
  /** [sync] A tensor that views a mapped file; offsets and strides as torch stores them, checked against the file size. */
  fromFile(
    file: NativeObject,
    spec: {
      /** Byte offset of the storage in the file. */
      byteOffset: number;
      /** Elements that the storage holds. */
      storageNumel: number;
      /** First element of the tensor within the storage. */
      storageOffset: number;
      shape: readonly number[];
      strides: readonly number[];
      dtype: DType;
      bigEndian?: boolean;
    },
  ): NativeTensor;
  /**
   * [async] Writes the elements in row-major order at the file's current position, cast to `dtype` when that is given.
   * `overflowed` counts finite values that the cast made infinite.
   */
  write(
    fd: number,
    tensor: NativeTensor,
    dtype?: DType | null,
  ): Promise<{ bytes: number; crc32: number; overflowed: number }>;

  /** [sync] A seeded generator of the device: the reference's stream. */
  generator(seed: number | bigint, device: string): NativeObject;
  /** [sync] Replays draws in order. */
  tape(items: readonly { kind: string; tensor: NativeTensor }[]): NativeObject;
  /** [sync] Records what `inner` (or the default generator of `device`) draws. */
  recorder(inner: NativeObject | null, device: string): NativeObject;
  /** [sync] */
  cancelToken(): NativeCancelToken;
}

let loaded: Native | undefined;

/** The addon, loaded at first use. Throws `ERR_NATIVE_LOAD` with what was found and what to do. */
export function native(): Native {
  if (!loaded) {
    const policy = wordOf('LDM_KERNELS', ['exact', 'fast'], 'fast');
    const tf32 = wordOf('LDM_TF32', ['off', 'convolutions', 'all'], 'convolutions');
    const graphs = wordOf('LDM_CUDA_GRAPHS', ['0', '1'], '0');
    loaded = loadAddon() as Native;
    // Set once for the process, before there is a job: whoever wants to compare need not change a program.
    if (policy === 'exact') loaded.setFastKernels(false);
    if (tf32 !== 'convolutions') loaded.configureBackend({ tf32 });
    if (graphs === '1') loaded.configureBackend({ graphs: true });
  }
  return loaded;
}

/** What an environment variable says, `standard` where it is not set. @throws LdmError ERR_INVALID_ARGUMENT for another word */
function wordOf<Word extends string>(variable: string, words: readonly Word[], standard: Word): Word {
  const found = process.env[variable] || standard;
  if ((words as readonly string[]).includes(found)) return found as Word;
  const last = words.at(-1);
  const expected = `${words
    .slice(0, -1)
    .map((word) => `'${word}'`)
    .join(', ')} or '${last}'`;
  throw new LdmError(
    'ERR_INVALID_ARGUMENT',
    `${variable}: expected ${expected} but found '${found}'. Correct it or unset it.`,
  );
}
