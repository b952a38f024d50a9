/**
 * torch's part of a pickle: storages arrive as persistent ids, tensors as calls of torch._utils._rebuild_*. Both become
 * descriptions of where the data lies in the file; no data is touched.
 */
import type { Budget } from './budget';
import type { ByteSource } from './byte-source';
import { damaged, shown } from './errors';
import { ITEM_SIZE, MappedTensor, type Mappings, MOST_DIMENSIONS, type Storage } from './mapped-tensor';
import { buildKnown, callGlobal, resolveGlobal } from './pickle-globals';
import { Global, type Pickled, PickleError, type PickleWorld, unpickle } from './pickle-machine';
import { type CheckpointDType, Skipped } from './types';

const STORAGE_TYPES: Record<string, CheckpointDType> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  UntypedStorage: 'uint8',
};

const DTYPES: Record<string, CheckpointDType> = {
  'torch.float64': 'float64',
  'torch.float32': 'float32',
  'torch.float16': 'float16',
  'torch.bfloat16': 'bfloat16',
  'torch.int64': 'int64',
  'torch.int32': 'int32',
  'torch.int16': 'int16',
  'torch.int8': 'int8',
  'torch.uint8': 'uint8',
  'torch.bool': 'bool',
  'torch.complex64': 'complex64',
};

class StorageType extends Global {
  constructor(
    module: string,
    name: string,
    readonly dtype: CheckpointDType,
  ) {
    super(module, name);
  }
}

/** A storage as a persistent id announces it. */
export interface StorageRequest {
  dtype: CheckpointDType;
  key: string;
  /** Elements of the whole storage. */
  numel: number;
}

/** Finds the storage in the container, or throws ERR_CHECKPOINT. Called for each mention. */
export type StorageFinder = (request: StorageRequest) => Storage;

/** What is around a pickle: the file, how its storages are found, and where skipped classes are noted. */
export interface PickleFile {
  file: string;
  mappings: Mappings;
  find: StorageFinder;
  skipped: Set<string>;
}

/** Reads one pickle of torch.save. */
export function readTorchPickle(source: ByteSource, around: PickleFile, budget?: Budget): Pickled {
  return readPickle(source, around.file, torchWorld(around), budget);
}

/** What names mean in a pickle of torch.save. */
export function torchWorld({ file, mappings, find, skipped }: PickleFile): PickleWorld {
  const note = (value: Pickled): Pickled => {
    if (value instanceof Skipped && !(value instanceof StorageType)) skipped.add(value.className);
    return value;
  };
  return {
    global(module, name) {
      const storage = /^torch(\.(cuda|storage))?$/.test(module) && Object.hasOwn(STORAGE_TYPES, name);
      if (storage) return new StorageType(module, name, STORAGE_TYPES[name]);
      return resolveGlobal(module, name);
    },
    call(callee, args, left) {
      const rebuild = callee.module === 'torch._utils' ? REBUILDERS[callee.name] : undefined;
      return rebuild ? rebuild(args, file, mappings) : note(callGlobal(callee, args, left));
    },
    persistent: (id) => resolvePersistent(id, find),
    build: buildKnown,
  };
}

/** Runs the machine; what it refuses is an error of the file. */
export function readPickle(source: ByteSource, file: string, world: PickleWorld, budget?: Budget): Pickled {
  try {
    return unpickle(source, world, budget);
  } catch (error) {
    if (error instanceof PickleError) throw damaged(file, `its pickle ${error.message}`);
    throw error;
  }
}

/** ('storage', type, key, location, numel[, view]); of legacy files also ('module', class, file, source). */
function resolvePersistent(id: Pickled, find: StorageFinder): Pickled {
  if (!Array.isArray(id)) throw new PickleError('has a persistent id that is no tuple');
  if (id[0] === 'module') return id[1] instanceof Skipped ? id[1] : new Skipped('module');
  const [kind, type, key, , numel, view] = id;
  if (kind !== 'storage') throw new PickleError('has a persistent id of an unknown kind');
  if (!(type instanceof StorageType)) {
    throw new PickleError(`has a tensor of the unknown storage class ${shown(type)}`);
  }
  if (typeof key !== 'string' || !/^[\w-]{1,64}$/.test(key))
    throw new PickleError(`has the invalid storage key ${shown(key)}`);
  if (!isCount(numel) || !Number.isSafeInteger(numel * ITEM_SIZE[type.dtype]))
    throw new PickleError(`has a storage of ${shown(numel)} elements`);
  const storage = find({ dtype: type.dtype, key, numel });
  return view === undefined || view === null ? storage : viewOf(storage, view);
}

/** A part of a storage: (key of the view, first element, elements). Legacy files only. */
function viewOf(root: Storage, view: Pickled): Storage {
  const [, offset, numel] = Array.isArray(view) ? view : [];
  if (!isCount(offset) || !isCount(numel) || offset + numel > root.numel)
    throw new PickleError('has a storage view outside of its storage');
  return {
    dtype: root.dtype,
    numel,
    location: () => {
      const at = root.location();
      return { ...at, byteOffset: at.byteOffset + offset * ITEM_SIZE[root.dtype] };
    },
  };
}

type Rebuilder = (args: readonly Pickled[], file: string, mappings: Mappings) => Pickled;

const rebuildTensor: Rebuilder = ([storage, offset, shape, strides], file, mappings) => {
  if (Array.isArray(shape) && shape.length > MOST_DIMENSIONS)
    throw new PickleError(`has a tensor of ${shape.length} dimensions (at most ${MOST_DIMENSIONS} are allowed)`);
  if (!isStorage(storage) || !isCount(offset) || !isInts(shape) || !isInts(strides))
    throw new PickleError('has a tensor whose description is malformed');
  return new MappedTensor(storage, offset, [...shape], [...strides], mappings, file);
};

const REBUILDERS: Record<string, Rebuilder | undefined> = Object.assign(Object.create(null), {
  _rebuild_tensor: rebuildTensor,
  _rebuild_tensor_v2: rebuildTensor,
  /** As v2, with an untyped storage and a dtype. */
  _rebuild_tensor_v3: ((args, file, mappings) => {
    const [bytes, , , , , , name] = args;
    const dtype = typeof name === 'string' && Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;
    if (!isStorage(bytes)) throw new PickleError('has a tensor whose description is malformed');
    if (!dtype) {
      throw new PickleError(`has a tensor of the dtype ${shown(name)}, which is not supported`);
    }
    const numel = Math.floor((bytes.numel * ITEM_SIZE[bytes.dtype]) / ITEM_SIZE[dtype]);
    const typed: Storage = { dtype, numel, location: () => bytes.location() };
    return rebuildTensor([typed, ...args.slice(1)], file, mappings);
  }) satisfies Rebuilder,
  _rebuild_parameter: (([data]) => data) satisfies Rebuilder,
  _rebuild_parameter_with_state: (([data]) => data) satisfies Rebuilder,
});

const isCount = (n: Pickled): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
/** Sizes or strides. */
const isInts = (value: Pickled): value is number[] =>
  Array.isArray(value) && value.length <= MOST_DIMENSIONS && value.every((n) => Number.isSafeInteger(n));
const isStorage = (value: Pickled): value is Storage =>
  typeof value === 'object' && value !== null && typeof (value as Storage).location === 'function';
