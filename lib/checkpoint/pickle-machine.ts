/**
 * A restricted pickle machine (protocols 0 to 5). It executes nothing: a global name is only a name, and calling one is
 * answered by a table of known reconstructors ({@link PickleWorld}). Everything that is not in the table becomes a
 * {@link Skipped} placeholder, on which further calls and assignments have no effect. There is no recursion, every length
 * is checked against the bytes that are there, and a {@link Budget} bounds time and memory.
 */
import { Budget, BudgetExceeded, COST } from './budget';
import { type ByteSource, OutOfBytes } from './byte-source';
import { Skipped } from './types';

/** Anything on the machine's stack. */
export type Pickled = unknown;

/** A global name that was mentioned; calling it goes through {@link PickleWorld.call}. */
export class Global extends Skipped {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {
    super(`${module}.${name}`);
  }
}

/** What the machine asks of its surroundings. */
export interface PickleWorld {
  /** A name is mentioned. Throws when the mere mention is a reason to refuse the file. */
  global(module: string, name: string): Pickled;
  /** A global is called (REDUCE, NEWOBJ, INST, OBJ). Unknown ones give a {@link Skipped}. */
  call(callee: Global, args: readonly Pickled[], budget: Budget): Pickled;
  /** A persistent id: torch's storages. */
  persistent(id: Pickled): Pickled;
  /** State is set on an object that is no placeholder (BUILD). */
  build(object: Pickled, state: Pickled): void;
}

/** Why a pickle was refused; the caller adds the file's name. */
export class PickleError extends Error {}

const HIGHEST_PROTOCOL = 5;
/** Longest integer that is accepted, in bytes or digits. */
const LONGEST_INTEGER = 4096;

/** Reads one pickle up to its STOP. @param budget shared by the pickles of one file */
export function unpickle(source: ByteSource, world: PickleWorld, budget = new Budget()): Pickled {
  try {
    return new Machine(source, world, budget).run();
  } catch (error) {
    if (error instanceof OutOfBytes) throw new PickleError(`ends unexpectedly at byte ${source.position}`);
    if (error instanceof BudgetExceeded)
      throw new PickleError(`asks for more objects than any checkpoint has, before byte ${source.position}`);
    throw error;
  }
}

class Machine {
  readonly #stack: Pickled[] = [];
  readonly #marks: number[] = [];
  readonly #memo: Pickled[] = [];
  /** Slots that are set. */
  #memoized = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly world: PickleWorld,
    private readonly budget: Budget,
  ) {}

  run(): Pickled {
    for (;;) {
      const code = this.source.byte();
      if (code === 0x2e) return this.#pop(); // STOP
      this.#execute(code);
    }
  }

  #execute(code: number): void {
    const { source, budget } = this;
    budget.spend(COST.instruction);
    switch (code) {
      case 0x80: {
        const protocol = source.byte();
        if (protocol > HIGHEST_PROTOCOL) throw new PickleError(`has the protocol ${protocol}; known are 0 to 5`);
        break;
      }
      case 0x95: // FRAME: only a hint
        this.#length(8);
        break;

      // stack and memo
      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        break;
      case 0x30: // POP, which also takes a mark off
        if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;
      case 0x32: // DUP
        this.#push(this.#top());
        break;
      case 0x67: // GET
        this.#get(Number(this.#line()));
        break;
      case 0x68: // BINGET
        this.#get(source.byte());
        break;
      case 0x6a: // LONG_BINGET
        this.#get(source.bytes(4).readUInt32LE());
        break;
      case 0x70: // PUT
        this.#put(Number(this.#line()));
        break;
      case 0x71: // BINPUT
        this.#put(source.byte());
        break;
      case 0x72: // LONG_BINPUT
        this.#put(source.bytes(4).readUInt32LE());
        break;
      case 0x94: // MEMOIZE
        this.#put(this.#memoized);
        break;

      // plain values
      case 0x4e: // NONE
        this.#push(null);
        break;
      case 0x88: // NEWTRUE
        this.#push(true);
        break;
      case 0x89: // NEWFALSE
        this.#push(false);
        break;
      case 0x49: // INT: also the booleans of protocol 0
        this.#push(parseInt0(this.#line()));
        break;
      case 0x4a: // BININT
        this.#push(source.bytes(4).readInt32LE());
        break;
      case 0x4b: // BININT1
        this.#push(source.byte());
        break;
      case 0x4d: // BININT2
        this.#push(source.bytes(2).readUInt16LE());
        break;
      case 0x4c: // LONG
        this.#push(parseDecimal(this.#line().replace(/L$/, '')));
        break;
      case 0x8a: // LONG1
        this.#push(this.#integer(source.byte()));
        break;
      case 0x8b: // LONG4
        this.#push(this.#integer(source.bytes(4).readInt32LE()));
        break;
      case 0x46: // FLOAT
        this.#push(parseFloat0(this.#line()));
        break;
      case 0x47: // BINFLOAT
        budget.spend(COST.element);
        this.#push(source.bytes(8).readDoubleBE());
        break;
      case 0x53: // STRING
        this.#push(unquote(this.#line()));
        break;
      case 0x54: // BINSTRING
        this.#push(this.#text(this.#length(4), 'latin1'));
        break;
      case 0x55: // SHORT_BINSTRING
        this.#push(this.#text(source.byte(), 'latin1'));
        break;
      case 0x56: // UNICODE
        this.#push(
          this.#line().replace(/\\u([0-9a-fA-F]{4})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        );
        break;
      case 0x58: // BINUNICODE
        this.#push(this.#text(this.#length(4), 'utf8'));
        break;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(this.#text(source.byte(), 'utf8'));
        break;
      case 0x8d: // BINUNICODE8
        this.#push(this.#text(this.#length(8), 'utf8'));
        break;
      case 0x42: // BINBYTES
        this.#push(this.#copy(this.#length(4)));
        break;
      case 0x43: // SHORT_BINBYTES
        this.#push(this.#copy(source.byte()));
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.#push(this.#copy(this.#length(8)));
        break;

      // containers; tuples are frozen arrays
      case 0x5d: // EMPTY_LIST
        budget.spend(COST.list);
        this.#push([]);
        break;
      case 0x7d: // EMPTY_DICT
        this.#push(this.#dictionary([]));
        break;
      case 0x8f: // EMPTY_SET
        this.#push(this.#set([]));
        break;
      case 0x29: // EMPTY_TUPLE
        this.#push(Object.freeze([]));
        break;
      case 0x85: // TUPLE1
        this.#push(Object.freeze(this.#popMany(1)));
        break;
      case 0x86: // TUPLE2
        this.#push(Object.freeze(this.#popMany(2)));
        break;
      case 0x87: // TUPLE3
        this.#push(Object.freeze(this.#popMany(3)));
        break;
      case 0x74: // TUPLE
        this.#push(Object.freeze(this.#popToMark()));
        break;
      case 0x6c: // LIST
        this.#push(this.#popToMark());
        break;
      case 0x64: {
        // DICT
        const items = this.#popToMark();
        this.#push(this.#dictionary(items));
        break;
      }
      case 0x91: // FROZENSET
        this.#push(this.#set(this.#popToMark()));
        break;
      case 0x61: {
        // APPEND
        const item = this.#pop();
        this.#append([item]);
        break;
      }
      case 0x65: {
        // APPENDS
        const items = this.#popToMark();
        this.#append(items);
        break;
      }
      case 0x73: {
        // SETITEM
        const item = this.#popMany(2);
        this.#setItems(this.#top(), item);
        break;
      }
      case 0x75: {
        // SETITEMS
        const items = this.#popToMark();
        this.#setItems(this.#top(), items);
        break;
      }
      case 0x90: {
        // ADDITEMS
        const items = this.#popToMark();
        const target = this.#top();
        if (target instanceof Set) this.#addItems(target, items);
        else if (!(target instanceof Skipped)) throw new PickleError('adds an item to something that is no set');
        break;
      }

      // names and calls
      case 0x63: {
        // GLOBAL
        const module = this.#line();
        this.#global(module, this.#line());
        break;
      }
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string')
          throw new PickleError('names a class by something that is no text');
        this.#global(module, name);
        break;
      }
      case 0x52: {
        // REDUCE
        const [callee, args] = this.#popMany(2);
        this.#push(this.#call(callee, args));
        break;
      }
      case 0x81: {
        // NEWOBJ
        const [callee, args] = this.#popMany(2);
        this.#push(this.#call(callee, args));
        break;
      }
      case 0x92: {
        // NEWOBJ_EX
        const [callee, args] = this.#popMany(3);
        this.#push(this.#call(callee, args));
        break;
      }
      case 0x69: {
        // INST
        const module = this.#line();
        this.#global(module, this.#line());
        const callee = this.#pop();
        this.#push(this.#call(callee, this.#popToMark()));
        break;
      }
      case 0x6f: {
        // OBJ
        const [callee, ...args] = this.#popToMark();
        this.#push(this.#call(callee, args));
        break;
      }
      case 0x62: {
        // BUILD
        const state = this.#pop();
        const target = this.#top();
        if (!(target instanceof Skipped)) this.world.build(target, state);
        break;
      }
      case 0x50: // PERSID
        this.#push(this.world.persistent(this.#line()));
        break;
      case 0x51: // BINPERSID
        budget.spend(COST.call);
        this.#push(this.world.persistent(this.#pop()));
        break;
      case 0x82: // EXT1
      case 0x83: // EXT2
      case 0x84: // EXT4
        throw new PickleError('uses an extension code, which only its writer could resolve');
      default:
        throw new PickleError(
          `has the unknown pickle instruction 0x${code.toString(16)} before byte ${source.position}`,
        );
    }
  }

  #push(value: Pickled): void {
    this.#stack.push(value);
  }
  #pop(): Pickled {
    this.#reach(1);
    return this.#stack.pop();
  }
  #popMany(n: number): Pickled[] {
    this.#reach(n);
    this.budget.spend(COST.list);
    return this.#stack.splice(this.#stack.length - n, n);
  }
  /** Checks that `n` values lie above the last mark. */
  #reach(n: number): void {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < n) throw new PickleError('takes a value from an empty stack');
  }
  #top(): Pickled {
    this.#reach(1);
    return this.#stack[this.#stack.length - 1];
  }
  #popToMark(): Pickled[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new PickleError('refers to a mark that was not set');
    this.budget.spend(COST.list + COST.instruction * (this.#stack.length - mark));
    return this.#stack.splice(mark);
  }
  #get(index: number): void {
    if (!(index in this.#memo)) throw new PickleError(`refers to memo slot ${index}, which was not set`);
    this.#push(this.#memo[index]);
  }
  /** Every writer counts its slots from 0 or 1, so that an index never exceeds the number of bytes before it. */
  #put(index: number): void {
    if (!Number.isSafeInteger(index) || index < 0 || index > this.source.position)
      throw new PickleError(`uses the invalid memo slot ${index}`);
    this.budget.spend(COST.memo);
    if (!(index in this.#memo)) this.#memoized++;
    this.#memo[index] = this.#top();
  }
  #line(): string {
    const line = this.source.line();
    this.budget.spend(COST.text + line.length);
    return line;
  }
  #text(n: number, encoding: 'latin1' | 'utf8'): string {
    const bytes = this.source.bytes(n);
    this.budget.spend(COST.text + n);
    return bytes.toString(encoding);
  }
  #dictionary(items: Pickled[]): Map<Pickled, Pickled> {
    this.budget.spend(COST.table);
    const map = new Map();
    this.#setItems(map, items);
    return map;
  }
  #set(items: Pickled[]): Set<Pickled> {
    this.budget.spend(COST.table);
    const set = new Set();
    this.#addItems(set, items);
    return set;
  }
  #addItems(target: Set<Pickled>, items: Pickled[]): void {
    for (const item of items) {
      this.budget.entry(target, item);
      target.add(item);
    }
  }
  #setItems(target: Pickled, items: Pickled[]): void {
    if (target instanceof Skipped) return;
    if (!(target instanceof Map)) throw new PickleError('sets an item of something that is no dictionary');
    if (items.length % 2) throw new PickleError('sets a key without a value');
    for (let i = 0; i < items.length; i += 2) {
      this.budget.entry(target, items[i]);
      target.set(items[i], items[i + 1]);
    }
  }
  #append(items: Pickled[]): void {
    const target = this.#top();
    if (target instanceof Skipped) return;
    if (!Array.isArray(target) || Object.isFrozen(target))
      throw new PickleError('appends to something that is no list');
    for (const item of items) target.push(item);
  }
  #global(module: string, name: string): void {
    this.budget.spend(COST.global);
    this.#push(this.world.global(module, name));
  }
  #length(bytes: 4 | 8): number {
    const raw = this.source.bytes(bytes);
    if (bytes === 4) return raw.readUInt32LE();
    const length = raw.readBigUInt64LE();
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new OutOfBytes();
    return Number(length);
  }
  #copy(n: number): Uint8Array {
    const bytes = this.source.bytes(n);
    this.budget.spend(COST.call + n);
    return Uint8Array.from(bytes);
  }
  #integer(n: number): number | bigint {
    if (n < 0 || n > LONGEST_INTEGER) throw new PickleError(`holds an integer of ${n} bytes`);
    if (n === 0) return 0;
    this.budget.spend(COST.text + n);
    const little = this.source.bytes(n);
    const hex = Buffer.from(little).reverse().toString('hex');
    return smallest(BigInt.asIntN(n * 8, BigInt(`0x${hex}`)));
  }
  #call(callee: Pickled, args: Pickled): Pickled {
    if (!(callee instanceof Skipped)) throw new PickleError('calls something that is no class');
    if (args instanceof Skipped) return new Skipped(callee.className);
    if (!Array.isArray(args)) throw new PickleError('calls something with arguments that are no tuple');
    this.budget.spend(COST.call + COST.element * args.length);
    return callee instanceof Global ? this.world.call(callee, args, this.budget) : callee;
  }
}

/** A number where it is exact, else a bigint. */
function smallest(value: bigint): number | bigint {
  const n = Number(value);
  return Number.isSafeInteger(n) ? n : value;
}

function parseDecimal(text: string): number | bigint {
  if (!/^\s*[+-]?\d+\s*$/.test(text) || text.length > LONGEST_INTEGER)
    throw new PickleError('holds a malformed integer');
  return smallest(BigInt(text.trim().replace(/^\+/, '')));
}

function parseInt0(text: string): number | bigint | boolean {
  if (text === '01') return true;
  if (text === '00') return false;
  return parseDecimal(text);
}

function parseFloat0(text: string): number {
  const special: Record<string, number> = { inf: Infinity, '-inf': -Infinity, nan: NaN, '-nan': NaN };
  const value = Object.hasOwn(special, text) ? special[text] : Number(text);
  if (text === '' || (Number.isNaN(value) && !text.includes('nan'))) throw new PickleError('holds a malformed number');
  return value;
}

/** The text of a protocol 0 STRING: a Python literal in quotes. */
function unquote(text: string): string {
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote)
    throw new PickleError('holds a malformed string');
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };
  return text
    .slice(1, -1)
    .replace(/\\(x[0-9a-fA-F]{2}|.)/g, (whole, e: string) =>
      e[0] === 'x' && e.length === 3 ? String.fromCharCode(Number.parseInt(e.slice(1), 16)) : (escapes[e] ?? whole),
    );
}
