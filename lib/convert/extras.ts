/** What a checkpoint holds beside its weights, on the way into another file. */
import { type FileTensor, type Picklable, type PlainValue, PyTuple, recipeFrom, Skipped } from '../checkpoint';

/** More values than this are not carried over: a small file may name the same list again and again. */
const MOST_VALUES = 1_000_000;
const DEEPEST = 48;

/** Values that were left out, by class. */
export interface CarriedOver {
  values: Map<string, Picklable>;
  left: Set<string>;
}

/**
 * Plain values and tensors in a form that is written. Objects of unknown classes are left out; sets become lists, and
 * classes that are keys (Lightning's callbacks) become their names.
 */
export function carryOver(extra: ReadonlyMap<string, PlainValue>): CarriedOver {
  const left = new Set<string>();
  let budget = MOST_VALUES;
  const convert = (value: PlainValue, depth: number): Picklable | undefined => {
    if (--budget < 0 || depth > DEEPEST) {
      left.add('values nested without end');
      return undefined;
    }
    if (value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)) return value as Picklable;
    if (value instanceof Skipped) {
      left.add(value.className);
      return undefined;
    }
    if (value instanceof Uint8Array) {
      left.add('bytes');
      return undefined;
    }
    if (Array.isArray(value) || value instanceof Set) {
      const items = [...(value as Iterable<PlainValue>)].map((item) => convert(item, depth + 1));
      const kept = items.filter((item) => item !== undefined);
      return Object.isFrozen(value) ? new PyTuple(kept) : kept;
    }
    if (value instanceof Map) {
      const entries: [string | number, Picklable][] = [];
      for (const [key, item] of value) {
        const name = key instanceof Skipped ? key.className : key;
        const converted = convert(item, depth + 1);
        if (converted === undefined) continue;
        if (typeof name === 'string' || typeof name === 'number') entries.push([name, converted]);
        else left.add('keys that are no text');
      }
      return new Map(entries);
    }
    return recipeFrom(value as FileTensor);
  };
  const values = new Map<string, Picklable>();
  for (const [key, value] of extra) {
    const converted = convert(value, 0);
    if (converted !== undefined) values.set(key, converted);
  }
  return { values, left };
}
