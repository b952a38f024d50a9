/**
 * Writes the protocol 2 pickles that torch.load(weights_only=True) accepts: plain values, ordered dictionaries and
 * tensors, and no other class.
 */
import { types } from 'node:util';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { contiguousStrides } from './mapped-tensor';
import { recipeOf, TensorRecipe } from './tensor-recipe';
import type { CheckpointDType } from './types';

/** A Python float, also where the number is integral: `lr=1.0` must not become an int. */
export class PyFloat {
  constructor(readonly value: number) {}
}
/** A Python tuple. */
export class PyTuple {
  constructor(readonly items: readonly Picklable[]) {}
}
/** A collections.OrderedDict. */
export class PyOrderedDict {
  /** @param attributes of the object itself, as `_metadata` of a state_dict */
  constructor(
    readonly entries: ReadonlyMap<string, Picklable>,
    readonly attributes?: ReadonlyMap<string, Picklable>,
  ) {}
}

/** What can be written. Integral numbers become int, others float; maps and plain objects become dict. */
export type Picklable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Tensor
  | TensorRecipe
  | PyFloat
  | PyTuple
  | PyOrderedDict
  | readonly Picklable[]
  | ReadonlyMap<string | number, Picklable>
  | { readonly [key: string]: Picklable };

const STORAGES: Record<CheckpointDType, string> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
  complex64: 'ComplexFloatStorage',
};

/** Dictionaries nested deeper than this are a mistake. */
const DEEPEST = 64;

/** A pickle and the tensors that it refers to as storages "0", "1", ... in this order, with the keys that led to them. */
export function pickle(value: Picklable): { data: Buffer; tensors: NamedRecipe[] } {
  const writer = new Writer();
  writer.value(value, 0);
  return { data: writer.finish(), tensors: writer.tensors };
}

/** A tensor of a pickle. */
export interface NamedRecipe {
  /** Its key in the dictionary that it stands in. */
  name: string;
  recipe: TensorRecipe;
}

class Writer {
  readonly tensors: NamedRecipe[] = [];
  /** Storages of tensors that appear more than once. */
  readonly #storages = new Map<object | string, number>();
  readonly #parts: Buffer[] = [Buffer.from([0x80, 2])];
  readonly #memo = new Map<string, number>();

  finish(): Buffer {
    this.#code('.');
    return Buffer.concat(this.#parts);
  }

  /** @param key of the value in its dictionary */
  value(value: Picklable, depth: number, key = ''): void {
    if (depth > DEEPEST) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected values that are nested less deeply');
    if (value === null) this.#code('N');
    else if (typeof value === 'boolean') this.#code(value ? '\x88' : '\x89');
    else if (typeof value === 'number') Number.isSafeInteger(value) ? this.#integer(value) : this.#float(value);
    else if (typeof value === 'bigint') this.#integer(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof Tensor) this.#tensor(recipeOf(value), key);
    else if (value instanceof TensorRecipe) this.#tensor(value, key);
    else if (value instanceof PyFloat) this.#float(value.value);
    else if (value instanceof PyTuple) this.#tuple(value.items, depth);
    else if (value instanceof PyOrderedDict) {
      this.#global('collections', 'OrderedDict');
      this.#code(')R');
      this.#items(value.entries, depth);
      if (value.attributes) {
        this.value(value.attributes, depth + 1);
        this.#code('b'); // BUILD
      }
    } else if (Array.isArray(value)) {
      this.#code(']');
      if (value.length) this.#marked(() => value.forEach((item) => void this.value(item, depth + 1)), 'e');
    } else if (types.isMap(value)) {
      this.#code('}');
      this.#items(value as ReadonlyMap<string | number, Picklable>, depth);
    } else if (typeof value === 'object') {
      this.#code('}');
      this.#items(new Map(Object.entries(value as Record<string, Picklable>)), depth);
    } else {
      throw new LdmError('ERR_INVALID_ARGUMENT', `Expected plain values and tensors but received a ${typeof value}`);
    }
  }

  #items(entries: ReadonlyMap<string | number, Picklable>, depth: number): void {
    if (entries.size === 0) return;
    this.#marked(() => {
      for (const [key, item] of entries) {
        this.value(key, depth + 1);
        this.value(item, depth + 1, String(key));
      }
    }, 'u');
  }
  #tuple(items: readonly Picklable[], depth: number): void {
    if (items.length === 0) this.#code(')');
    else this.#marked(() => items.forEach((item) => void this.value(item, depth + 1)), 't');
  }
  #marked(write: () => void, end: string): void {
    this.#code('(');
    write();
    this.#code(end);
  }

  /** torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()): always row-major. */
  #tensor(recipe: TensorRecipe, name: string): void {
    const known = recipe.origin === undefined ? undefined : this.#storages.get(recipe.origin);
    const index = known ?? this.tensors.push({ name, recipe }) - 1;
    if (recipe.origin !== undefined) this.#storages.set(recipe.origin, index);
    this.#global('torch._utils', '_rebuild_tensor_v2');
    this.#code('(');
    this.#code('(');
    this.#text('storage');
    this.#global('torch', STORAGES[recipe.dtype]);
    this.#text(String(index));
    this.#text('cpu');
    this.#integer(recipe.numel);
    this.#code('tQ');
    this.#integer(0);
    this.#tuple(recipe.shape, 0);
    this.#tuple(contiguousStrides(recipe.shape), 0);
    this.#code('\x89');
    this.#global('collections', 'OrderedDict');
    this.#code(')RtR');
  }

  #code(codes: string): void {
    this.#parts.push(Buffer.from(codes, 'latin1'));
  }
  #integer(value: number | bigint): void {
    const n = BigInt(value);
    if (n >= 0n && n < 256n) this.#parts.push(Buffer.from([0x4b, Number(n)]));
    else if (n >= -(2n ** 31n) && n < 2n ** 31n) {
      const part = Buffer.alloc(5);
      part[0] = 0x4a; // BININT
      part.writeInt32LE(Number(n), 1);
      this.#parts.push(part);
    } else this.#long(n);
  }
  /** LONG1: two's complement, little endian, with as few bytes as hold the sign. */
  #long(n: bigint): void {
    const bytes: number[] = [];
    let rest = n;
    do {
      bytes.push(Number(BigInt.asUintN(8, rest)));
      rest >>= 8n;
    } while (!(rest === 0n && bytes.at(-1)! < 0x80) && !(rest === -1n && bytes.at(-1)! >= 0x80));
    if (bytes.length > 255) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected an integer of at most 255 bytes');
    this.#parts.push(Buffer.from([0x8a, bytes.length, ...bytes]));
  }
  #float(value: number): void {
    const part = Buffer.alloc(9);
    part[0] = 0x47; // BINFLOAT
    part.writeDoubleBE(value, 1);
    this.#parts.push(part);
  }
  /** Text and names are written once and then referred to. */
  #text(text: string): void {
    this.#once(`text ${text}`, () => {
      const data = Buffer.from(text, 'utf8');
      const head = Buffer.alloc(5);
      head[0] = 0x58; // BINUNICODE
      head.writeUInt32LE(data.length, 1);
      this.#parts.push(head, data);
    });
  }
  #global(module: string, name: string): void {
    this.#once(`global ${module} ${name}`, () => this.#parts.push(Buffer.from(`c${module}\n${name}\n`, 'latin1')));
  }
  #once(key: string, write: () => void): void {
    const known = this.#memo.get(key);
    if (known === undefined) write();
    const index = known ?? this.#memo.size;
    const part = Buffer.alloc(5);
    part[0] = known === undefined ? 0x72 : 0x6a; // LONG_BINPUT, LONG_BINGET
    part.writeUInt32LE(index, 1);
    this.#parts.push(part);
    this.#memo.set(key, index);
  }
}
