/** What Python's unpickler makes of a torch zip: dictionaries in order, classes by name, tensors by storage. */
import fs from 'node:fs';
import { disassemble } from '../fuzz/pickle-code';

/** A tensor as torch would rebuild it. */
export class TensorView {
  constructor(
    readonly storage: string,
    readonly key: string,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}
/** A dictionary, or an OrderedDict with what BUILD gave it. */
export class Dict {
  readonly items = new Map<unknown, unknown>();
  attributes: Dict | undefined;
  constructor(readonly type: 'dict' | 'OrderedDict') {}
  get(key: unknown): any {
    return this.items.get(key);
  }
  get keys(): unknown[] {
    return [...this.items.keys()];
  }
}
export class Float {
  constructor(readonly value: number) {}
}
const MARK = Symbol('mark');
class ClassName {
  constructor(readonly name: string) {}
}

/** The content of `archive/data.pkl`, and the classes that it names. */
export function pythonView(file: string): { root: Dict; globals: string[] } {
  const bytes = fs.readFileSync(file);
  // The first entry of the archive, stored without compression.
  const nameLength = bytes.readUInt16LE(26);
  const start = 30 + nameLength + bytes.readUInt16LE(28);
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  const globals = new Set<string>();
  const toMark = (): unknown[] => {
    const at = stack.lastIndexOf(MARK);
    return stack.splice(at).slice(1);
  };
  for (const { code, argument } of disassemble(bytes, start).instructions) {
    const top = stack.at(-1);
    switch (String.fromCharCode(code)) {
      case '(':
        stack.push(MARK);
        break;
      case '}':
        stack.push(new Dict('dict'));
        break;
      case ']':
        stack.push([]);
        break;
      case ')':
        stack.push([]);
        break;
      case 'N':
        stack.push(null);
        break;
      case '\x88':
        stack.push(true);
        break;
      case '\x89':
        stack.push(false);
        break;
      case 'K':
        stack.push(argument[0]);
        break;
      case 'J':
        stack.push(argument.readInt32LE(0));
        break;
      case '\x8a':
        stack.push(Number(argument.subarray(1).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)));
        break;
      case 'G':
        stack.push(new Float(argument.readDoubleBE(0)));
        break;
      case 'X':
        stack.push(argument.subarray(4).toString('utf8'));
        break;
      case 'c': {
        const name = argument.toString('latin1').trim().replace('\n', '.');
        globals.add(name);
        stack.push(new ClassName(name));
        break;
      }
      case 'r':
        memo.set(argument.readUInt32LE(0), top);
        break;
      case 'j':
        stack.push(memo.get(argument.readUInt32LE(0)));
        break;
      case 't':
      case 'l':
        stack.push(toMark());
        break;
      case 'e': {
        const items = toMark();
        (stack.at(-1) as unknown[]).push(...items);
        break;
      }
      case 'u': {
        const items = toMark();
        for (let i = 0; i < items.length; i += 2) (stack.at(-1) as Dict).items.set(items[i], items[i + 1]);
        break;
      }
      case 'Q':
        stack.push({ persistent: stack.pop() });
        break;
      case 'R': {
        const [callee, args] = stack.splice(-2) as [ClassName, unknown[]];
        stack.push(callee.name === 'collections.OrderedDict' ? new Dict('OrderedDict') : rebuilt(args));
        break;
      }
      case 'b': {
        const state = stack.pop() as Dict;
        (stack.at(-1) as Dict).attributes = state;
        break;
      }
    }
  }
  return { root: stack[0] as Dict, globals: [...globals].sort() };
}

function rebuilt(args: unknown[]): TensorView {
  const [{ persistent }, , shape, strides] = args as [{ persistent: unknown[] }, number, number[], number[]];
  return new TensorView((persistent[1] as ClassName).name, String(persistent[2]), shape, strides);
}
