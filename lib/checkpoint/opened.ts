/** An opened checkpoint: finds the state dict in what a file holds and shows the rest as plain values. */
import type { Tensor } from '../tensor';
import { damaged } from './errors';
import { MappedTensor, type Mappings } from './mapped-tensor';
import type { Pickled } from './pickle-machine';
import {
  type Checkpoint,
  type CheckpointFormat,
  type FileTensor,
  type OptimizerState,
  type ParamGroup,
  type PlainValue,
  Skipped,
} from './types';

/** Names under which state dicts are kept, in the order in which they are looked for. */
const WRAPPERS = ['state_dict', 'model', 'params_ema', 'params', 'model_state_dict', 'module', 'net', 'ema'];

type Dictionary = ReadonlyMap<Pickled, Pickled>;

/** @internal */
export class OpenedCheckpoint implements Checkpoint {
  readonly where: string;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly extra: ReadonlyMap<string, PlainValue>;
  #stateDict: ReadonlyMap<string, Tensor> | undefined;
  #optimizers: readonly OptimizerState[] | undefined;

  constructor(
    readonly path: string,
    readonly format: CheckpointFormat,
    root: Pickled,
    private readonly mappings: Mappings,
    readonly skippedClasses: readonly string[] = [],
    readonly metadata: ReadonlyMap<string, string> = new Map(),
  ) {
    if (!(root instanceof Map)) {
      const what = root instanceof Skipped ? `an object of the class ${root.className}` : 'something else';
      throw damaged(path, `a dictionary of tensors is expected but it holds ${what}; save its state_dict() instead`);
    }
    [this.where, this.tensors] = findStateDict(path, root);
    const rest = new Map<string, PlainValue>();
    for (const [key, value] of root)
      if (typeof key === 'string' && key !== this.where && !(this.where === '' && value instanceof MappedTensor))
        rest.set(key, value as PlainValue);
    this.extra = rest;
  }

  get stateDict(): ReadonlyMap<string, Tensor> {
    this.#stateDict ??= new Map([...this.tensors].map(([name, t]) => [name, t.tensor()]));
    return this.#stateDict;
  }
  get globalStep(): number | null {
    return this.#number('global_step');
  }
  get epoch(): number | null {
    return this.#number('epoch');
  }
  get lightningVersion(): string | null {
    const version = this.extra.get('pytorch-lightning_version');
    return typeof version === 'string' ? version : null;
  }
  get optimizerStates(): readonly OptimizerState[] {
    this.#optimizers ??= this.#list('optimizer_states').map((state, i) => optimizerState(this.path, i, state));
    return this.#optimizers;
  }
  get lrSchedulers(): readonly ReadonlyMap<PlainValue, PlainValue>[] {
    return this.#list('lr_schedulers').filter((s) => s instanceof Map) as Map<PlainValue, PlainValue>[];
  }
  get hyperParameters(): PlainValue {
    return this.extra.get('hyper_parameters') ?? null;
  }
  get hasEma(): boolean {
    for (const name of this.tensors.keys()) if (name.startsWith('model_ema.')) return true;
    return false;
  }
  dispose(): void {
    this.mappings.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  #number(key: string): number | null {
    const value = this.extra.get(key);
    return typeof value === 'number' ? value : null;
  }
  #list(key: string): readonly PlainValue[] {
    const value = this.extra.get(key);
    return Array.isArray(value) ? value : [];
  }
}

function findStateDict(path: string, root: Dictionary): [string, Map<string, FileTensor>] {
  for (const where of WRAPPERS) {
    const found = root.get(where);
    const tensors = found instanceof Map ? tensorsOf(found) : undefined;
    if (tensors?.size) return [where, tensors];
  }
  const tensors = tensorsOf(root);
  if (tensors.size === 0) {
    const keys = [...root.keys()].filter((k) => typeof k === 'string').slice(0, 8);
    throw damaged(
      path,
      `holds no tensors, neither at the top level nor under ${WRAPPERS[0]} (it has ${keys.join(', ')})`,
    );
  }
  return ['', tensors];
}

function tensorsOf(map: Dictionary): Map<string, FileTensor> {
  const found = new Map<string, FileTensor>();
  for (const [key, value] of map) if (typeof key === 'string' && value instanceof MappedTensor) found.set(key, value);
  return found;
}

/** torch.optim's state_dict: {state: {index: {name: value}}, param_groups: [{...}]}. */
function optimizerState(path: string, index: number, value: PlainValue): OptimizerState {
  const bad = () => damaged(path, `the state of optimizer ${index} is malformed`);
  if (!(value instanceof Map)) throw bad();
  const [states, groups] = [value.get('state'), value.get('param_groups')];
  if (!(states instanceof Map) || !Array.isArray(groups)) throw bad();
  const state: OptimizerState['state'] = {};
  for (const [key, entry] of states) {
    if (typeof key !== 'number' || !(entry instanceof Map)) throw bad();
    const fields: Record<string, number | boolean | Tensor> = {};
    for (const [name, field] of entry) {
      if (field instanceof MappedTensor) fields[String(name)] = field.tensor();
      else if (typeof field === 'number' || typeof field === 'boolean') fields[String(name)] = field;
    }
    state[key] = fields;
  }
  return { state, param_groups: groups.map((group) => paramGroup(group, bad)) };
}

function paramGroup(group: unknown, bad: () => Error): ParamGroup {
  const params = group instanceof Map ? group.get('params') : undefined;
  if (!(group instanceof Map) || !isNumbers(params)) throw bad();
  const fields: ParamGroup = { params };
  for (const [name, value] of group) {
    const plain = value === null || ['number', 'boolean', 'string'].includes(typeof value);
    if (typeof name === 'string' && (plain || isNumbers(value))) fields[name] = value;
  }
  return fields;
}

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => typeof n === 'number');
