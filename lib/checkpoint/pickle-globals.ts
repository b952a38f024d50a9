/**
 * What the names in a checkpoint's pickle mean here. Known reconstructors are answered by code of our own; names that no
 * checkpoint needs and only an attack uses are a reason to refuse the file; every other name is a placeholder.
 */
import { type Budget, COST } from './budget';
import { Global, type Pickled, PickleError } from './pickle-machine';
import { Skipped } from './types';

/** Modules whose mere mention refuses a file: with them a pickle runs commands, loads code or opens files. */
const REFUSED_MODULES = new Set(
  (
    'os posix nt posixpath ntpath sys subprocess commands popen2 shutil glob importlib imp runpy code codeop codecs ' +
    'pty socket ssl ctypes _ctypes cffi pickle _pickle cPickle marshal shelve dill cloudpickle joblib inspect pdb bdb ' +
    'timeit cProfile profile trace webbrowser asyncio multiprocessing threading tempfile requests urllib urllib2 http ' +
    'httplib ftplib smtplib telnetlib xmlrpc pip setuptools distutils ensurepip venv site zipimport pkgutil gc ' +
    'fileinput linecache pydoc doctest atexit sqlite3 nose pytest IPython io.open io.open_code io.FileIO _io ' +
    'types.FunctionType types.CodeType types.MethodType types.LambdaType operator.attrgetter operator.methodcaller ' +
    '_operator logging.config torch.hub torch.jit torch.utils torch._inductor torch._dynamo torch.load ' +
    'torch.serialization.load numpy.testing numpy.load numpy.f2py numpy.distutils'
  ).split(' '),
);

/** Answers a call. What it copies is on the budget. */
type Call = (args: readonly Pickled[], budget: Budget) => Pickled;

/** The built-in names that a checkpoint may mention. */
const BUILTINS: Record<string, Call> = {
  set: ([items], budget) => tableOf(new Set<Pickled>(), elements(items), budget),
  frozenset: ([items], budget) => tableOf(new Set<Pickled>(), elements(items), budget),
  list: ([items], budget) => listOf(elements(items), budget),
  tuple: ([items], budget) => Object.freeze(listOf(elements(items), budget)),
  dict: dictionary,
  bytearray: bytesOf,
  bytes: bytesOf,
  int: ([value]) => value ?? 0,
  float: ([value]) => value ?? 0,
  bool: ([value]) => value ?? false,
  str: ([value]) => value ?? '',
  unicode: ([value]) => value ?? '',
  long: ([value]) => value ?? 0,
  complex: placeholder('complex'),
  slice: placeholder('slice'),
  range: placeholder('range'),
  xrange: placeholder('range'),
  object: placeholder('object'),
  type: placeholder('type'),
};

/** dtype of a numpy scalar. */
class NumpyDType {
  constructor(
    readonly kind: string,
    public bigEndian = false,
  ) {}
}

const CALLS: Record<string, Call> = {
  'collections.OrderedDict': dictionary,
  'collections.defaultdict': (args, budget) => dictionary(args.slice(1), budget),
  'collections.Counter': dictionary,
  'collections.deque': ([items], budget) => listOf(elements(items), budget),
  '_codecs.encode': encodeLatin1,
  'torch.Size': ([items], budget) => Object.freeze(listOf(elements(items), budget)),
  'torch.device': (args) => (args.every(isWord) ? args.join(':') : new Skipped('torch.device')),
  'numpy.dtype': ([kind]) => (isWord(kind) ? new NumpyDType(String(kind)) : new Skipped('numpy.dtype')),
  'numpy.core.multiarray.scalar': numpyScalar,
  'numpy._core.multiarray.scalar': numpyScalar,
};

/** torch's dtypes are names without a call. */
const TORCH_VALUES =
  /^(float(16|32|64)|b?float16|half|double|float|u?int(8|16|32|64)|short|long|int|bool|complex(64|128)|strided|contiguous_format|channels_last|preserve_format)$/;

/** A name is mentioned. @throws PickleError when that alone is a reason to refuse the file */
export function resolveGlobal(module: string, name: string): Pickled {
  if (module === 'torch' && TORCH_VALUES.test(name)) return `torch.${name}`;
  const parts = module.split('.');
  for (let n = 1; n <= parts.length; n++) if (REFUSED_MODULES.has(parts.slice(0, n).join('.'))) refuse(module, name);
  if (REFUSED_MODULES.has(`${module}.${name}`)) refuse(module, name);
  if (isBuiltinModule(module) && !Object.hasOwn(BUILTINS, name)) {
    // exceptions are harmless (a saved traceback or a warning category)
    if (!/^[A-Z]\w*(Error|Exception|Warning|Interrupt|Exit)$/.test(name)) refuse(module, name);
  }
  return new Global(module, name);
}

/** A name is called. Unknown ones give a placeholder. */
export function callGlobal(callee: Global, args: readonly Pickled[], budget: Budget): Pickled {
  if (isBuiltinModule(callee.module) && Object.hasOwn(BUILTINS, callee.name))
    return BUILTINS[callee.name](args, budget);
  if (Object.hasOwn(CALLS, callee.className)) return CALLS[callee.className](args, budget);
  // copyreg rebuilds objects of the class that is its first argument
  if (/^copy_?reg\.(_reconstructor|__newobj__|__newobj_ex__)$/.test(callee.className) && args[0] instanceof Skipped)
    return new Skipped(args[0].className);
  return new Skipped(callee.className);
}

/** State that BUILD sets on something known. Attributes of dictionaries (`_metadata`) have no meaning here. */
export function buildKnown(object: Pickled, state: Pickled): void {
  if (object instanceof NumpyDType && Array.isArray(state)) object.bigEndian = state[1] === '>';
}

const isBuiltinModule = (module: string) =>
  module === 'builtins' || module === '__builtin__' || module === '__builtins__';

function refuse(module: string, name: string): never {
  throw new PickleError(
    `asks for ${JSON.stringify(`${module}.${name}`).slice(0, 80)}, which no checkpoint needs and which could run code; the file was refused and nothing was run`,
  );
}

function placeholder(name: string): Call {
  return () => new Skipped(name);
}

/** A short text or a number: what may be put into a text without a second thought. */
const isWord = (value: Pickled): value is string | number =>
  typeof value === 'number' || (typeof value === 'string' && value.length <= 64);

function elements(value: Pickled): Iterable<Pickled> {
  if (value === undefined) return [];
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return value.keys();
  if (value instanceof Skipped) return [];
  throw new PickleError('makes a collection of something that has no elements');
}

function listOf(items: Iterable<Pickled>, budget: Budget): Pickled[] {
  const list: Pickled[] = [];
  for (const item of items) {
    budget.spend(COST.element);
    list.push(item);
  }
  return list;
}

function tableOf(set: Set<Pickled>, items: Iterable<Pickled>, budget: Budget): Set<Pickled> {
  budget.spend(COST.table);
  for (const item of items) {
    budget.entry(set, item);
    set.add(item);
  }
  return set;
}

function dictionary([first]: readonly Pickled[], budget: Budget): Map<Pickled, Pickled> {
  budget.spend(COST.table);
  const map = new Map<Pickled, Pickled>();
  if (first === undefined || first instanceof Skipped) return map;
  const pairs: Iterable<Pickled> = first instanceof Map ? first : elements(first);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new PickleError('makes a dictionary of something else than pairs');
    budget.entry(map, pair[0]);
    map.set(pair[0], pair[1]);
  }
  return map;
}

/** Protocol 2 writes bytes as text in latin-1. */
function encodeLatin1([text, encoding]: readonly Pickled[], budget: Budget): Pickled {
  if (typeof text !== 'string') throw new PickleError('encodes something that is no text');
  budget.spend(2 * text.length);
  return Uint8Array.from(Buffer.from(text, encoding === 'latin1' ? 'latin1' : 'utf8'));
}

function bytesOf(args: readonly Pickled[], budget: Budget): Pickled {
  const [first] = args;
  if (first === undefined) return new Uint8Array(0);
  if (first instanceof Uint8Array) return first;
  return typeof first === 'string' ? encodeLatin1(args, budget) : new Skipped('bytes');
}

/** numpy.float64(0.5) and the like: a dtype and its bytes. */
function numpyScalar(args: readonly Pickled[]): Pickled {
  const [dtype, data] = args;
  if (!(dtype instanceof NumpyDType) || !(data instanceof Uint8Array)) return new Skipped('numpy scalar');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = !dtype.bigEndian;
  const readers: Record<string, [number, () => number | bigint | boolean]> = {
    f8: [8, () => view.getFloat64(0, little)],
    f4: [4, () => view.getFloat32(0, little)],
    i8: [8, () => view.getBigInt64(0, little)],
    u8: [8, () => view.getBigUint64(0, little)],
    i4: [4, () => view.getInt32(0, little)],
    u4: [4, () => view.getUint32(0, little)],
    i2: [2, () => view.getInt16(0, little)],
    u2: [2, () => view.getUint16(0, little)],
    i1: [1, () => view.getInt8(0)],
    u1: [1, () => view.getUint8(0)],
    b1: [1, () => view.getUint8(0) !== 0],
  };
  if (!Object.hasOwn(readers, dtype.kind)) return new Skipped(`numpy scalar of dtype ${dtype.kind}`);
  const [size, read] = readers[dtype.kind];
  if (data.length !== size)
    throw new PickleError(`holds a numpy scalar of dtype ${dtype.kind} with ${data.length} bytes`);
  const value = read();
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
