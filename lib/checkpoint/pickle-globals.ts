/**
 * What the names in a checkpoint's pickle mean here. Known reconstructors are answered by code of our own; names that no
 * checkpoint needs and only an attack uses are a reason to refuse the file; every other name is a placeholder.
 */
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

/** The built-in names that a checkpoint may mention. */
const BUILTINS: Record<string, (args: readonly Pickled[], name: string) => Pickled> = {
  set: (args) => new Set(elements(args[0])),
  frozenset: (args) => new Set(elements(args[0])),
  list: (args) => [...elements(args[0])],
  tuple: (args) => Object.freeze([...elements(args[0])]),
  dict: (args) => dictionary(args),
  bytearray: (args) => bytesOf(args),
  bytes: (args) => bytesOf(args),
  int: (args) => args[0] ?? 0,
  float: (args) => args[0] ?? 0,
  bool: (args) => args[0] ?? false,
  str: (args) => args[0] ?? '',
  unicode: (args) => args[0] ?? '',
  long: (args) => args[0] ?? 0,
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

const CALLS: Record<string, (args: readonly Pickled[]) => Pickled> = {
  'collections.OrderedDict': (args) => dictionary(args),
  'collections.defaultdict': (args) => dictionary(args.slice(1)),
  'collections.Counter': (args) => dictionary(args),
  'collections.deque': (args) => [...elements(args[0])],
  '_codecs.encode': (args) => encodeLatin1(args),
  'torch.Size': (args) => Object.freeze([...elements(args[0])]),
  'torch.device': (args) => args.map(String).join(':'),
  'numpy.dtype': (args) => new NumpyDType(String(args[0])),
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
export function callGlobal(callee: Global, args: readonly Pickled[]): Pickled {
  if (isBuiltinModule(callee.module) && Object.hasOwn(BUILTINS, callee.name))
    return BUILTINS[callee.name](args, callee.name);
  if (Object.hasOwn(CALLS, callee.className)) return CALLS[callee.className](args);
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

function placeholder(name: string): () => Pickled {
  return () => new Skipped(name);
}

function elements(value: Pickled): Iterable<Pickled> {
  if (value === undefined) return [];
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return value.keys();
  if (value instanceof Skipped) return [];
  throw new PickleError('makes a collection of something that has no elements');
}

function dictionary(args: readonly Pickled[]): Map<Pickled, Pickled> {
  const [first] = args;
  if (first === undefined || first instanceof Skipped) return new Map();
  if (first instanceof Map) return new Map(first);
  const map = new Map<Pickled, Pickled>();
  for (const pair of elements(first)) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new PickleError('makes a dictionary of something else than pairs');
    map.set(pair[0], pair[1]);
  }
  return map;
}

/** Protocol 2 writes bytes as text in latin-1. */
function encodeLatin1(args: readonly Pickled[]): Pickled {
  if (typeof args[0] !== 'string') throw new PickleError('encodes something that is no text');
  return Uint8Array.from(Buffer.from(args[0], args[1] === 'latin1' ? 'latin1' : 'utf8'));
}

function bytesOf(args: readonly Pickled[]): Pickled {
  const [first] = args;
  if (first === undefined) return new Uint8Array(0);
  if (first instanceof Uint8Array) return first;
  return typeof first === 'string' ? encodeLatin1(args) : new Skipped('bytes');
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
