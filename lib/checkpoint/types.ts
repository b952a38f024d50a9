/** What a checkpoint file holds, whatever its format. */
import type { Tensor } from '../tensor';

/** Element types that checkpoint files may hold. complex64 is readable as float32 pairs only. */
export type CheckpointDType = Tensor['dtype'] | 'complex64';

/**
 * - `torch-zip`: what torch.save writes since 1.6, and Lightning with it
 * - `torch-legacy`: the stream of torch.save before 1.6
 * - `safetensors`
 */
export type CheckpointFormat = 'torch-zip' | 'torch-legacy' | 'safetensors';

/** A tensor of a file; its data is mapped, not read, until something is computed from it. */
export interface TensorInfo {
  readonly dtype: CheckpointDType;
  readonly shape: readonly number[];
  /** Bytes of the elements (not of the storage, which views share). */
  readonly bytes: number;
}

/** A plain value of a pickle or of a header. Maps keep keys that are no strings (optimizer states, class objects). */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | PlainValue[]
  | Set<PlainValue>
  | Map<PlainValue, PlainValue>
  | Skipped;

/** Stands for an object of a class that is not known: nothing of it was executed. */
export class Skipped {
  /** @param className `module.Name` as the file spells it */
  constructor(readonly className: string) {}
}

/** torch.optim's state_dict. */
export interface OptimizerState {
  /** Per parameter index: exp_avg and the like as tensors, step as number or tensor. */
  state: Map<number, Record<string, PlainValue>>;
  paramGroups: (Record<string, PlainValue> & { params: number[] })[];
}

/** An opened checkpoint. Dispose of it when its tensors have been copied: that releases the mapping. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** Where the tensors lie in the file: 'state_dict', 'model', 'params_ema' or '' (top level). */
  readonly where: string;
  /** Names in the file's order. Values view the mapped file. */
  readonly stateDict: ReadonlyMap<string, Tensor>;
  /** dtype, shape and size by name, also for dtypes that {@link stateDict} can only show as float32 pairs. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Lightning's `global_step` as stored, null where the file has none. */
  readonly globalStep: number | null;
  readonly epoch: number | null;
  readonly lightningVersion: string | null;
  readonly optimizerStates: readonly OptimizerState[];
  readonly lrSchedulers: readonly Map<PlainValue, PlainValue>[];
  readonly hyperParameters: PlainValue;
  /** Whether the state dict has an exponential moving average (`model_ema.*`). */
  readonly hasEma: boolean;
  /** Classes of the file that were skipped, each once. */
  readonly skippedClasses: readonly string[];
  /** safetensors' `__metadata__`, or a state_dict's version numbers by module. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Everything at the top level except for the state dict. */
  readonly extra: ReadonlyMap<string, PlainValue>;
  dispose(): void;
  [Symbol.dispose](): void;
}
