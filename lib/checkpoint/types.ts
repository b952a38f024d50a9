/** What a checkpoint file holds, whatever its format. */
import type { DType, Tensor } from '../tensor';

/** Element types that checkpoint files may hold. complex64 is shown as float32 pairs (a last dimension of 2). */
export type CheckpointDType = DType | 'complex64';

/**
 * - `torch-zip`: what torch.save writes since 1.6, and Lightning with it
 * - `torch-legacy`: the stream of torch.save before 1.6
 * - `safetensors`
 */
export type CheckpointFormat = 'torch-zip' | 'torch-legacy' | 'safetensors';

/** A tensor in a file. Its data is mapped when {@link tensor} is called and read when something is computed from it. */
export interface FileTensor {
  readonly dtype: CheckpointDType;
  readonly shape: readonly number[];
  /** Bytes of the elements (not of the storage, which views share). */
  readonly bytes: number;
  /** A handle that views the file; always the same one. The checkpoint owns it. */
  tensor(): Tensor;
  /** A handle of its own, which the caller disposes of: that gives the memory of its data back. */
  open(): Tensor;
}

/** Stands for an object of a class that is not known: nothing of it was executed. */
export class Skipped {
  /** @param className `module.Name` as the file spells it */
  constructor(readonly className: string) {}
}

/** A plain value of a pickle. Maps keep keys that are no strings (optimizer states, class objects); tuples are arrays. */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | FileTensor
  | Skipped
  | readonly PlainValue[]
  | ReadonlySet<PlainValue>
  | ReadonlyMap<PlainValue, PlainValue>;

/** torch.optim's `state_dict()` in torch's own layout; tensors are handles (of the file, when it was read). */
export interface OptimizerState {
  /** By index of the parameter, counted through the groups: `step`, `exp_avg`, `exp_avg_sq`. */
  state: Record<string, Record<string, number | boolean | Tensor>>;
  param_groups: ParamGroup[];
}

/** A parameter group of torch.optim; `betas` is a pair. */
export interface ParamGroup {
  params: readonly number[];
  [option: string]: number | boolean | null | string | readonly number[];
}

/** An opened checkpoint. Dispose of it when its tensors have been copied: that releases the mapping. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** Where the tensors lie in the file: 'state_dict', 'model', 'params_ema', ... or '' (top level). */
  readonly where: string;
  /** The tensors of the state dict in the file's order, not yet mapped. */
  readonly tensors: ReadonlyMap<string, FileTensor>;
  /** The same as handles that view the mapped file. */
  readonly stateDict: ReadonlyMap<string, Tensor>;
  /** Lightning's `global_step` as stored (steps done), null where the file has none. */
  readonly globalStep: number | null;
  /** Lightning's `epoch` as stored (epochs begun). */
  readonly epoch: number | null;
  readonly lightningVersion: string | null;
  readonly optimizerStates: readonly OptimizerState[];
  /** States of learning-rate schedulers by name. */
  readonly lrSchedulers: readonly ReadonlyMap<PlainValue, PlainValue>[];
  readonly hyperParameters: PlainValue;
  /** Whether the state dict has an exponential moving average (`model_ema.*`). */
  readonly hasEma: boolean;
  /** Classes of the file that were skipped, each once. */
  readonly skippedClasses: readonly string[];
  /** safetensors' `__metadata__`; empty for other formats. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Everything at the top level except for the state dict. */
  readonly extra: ReadonlyMap<string, PlainValue>;
  dispose(): void;
  [Symbol.dispose](): void;
}
