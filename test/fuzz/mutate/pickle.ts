/** Mutations of pickles, instruction by instruction. */
import { ARGUMENTS, type ArgumentKind, assemble, CODES, disassemble, type Instruction } from '../pickle-code';
import { edgeField, edgeInteger, type FuzzRandom } from '../random';

const WORDS = (
  'state_dict model params storage module cpu cuda:0 meta 0 1 2 99 data ../../x torch FloatStorage HalfStorage ' +
  'UntypedStorage QUInt8Storage torch._utils _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter ' +
  'collections OrderedDict defaultdict deque Counter builtins __builtin__ list set frozenset tuple dict bytes bytearray ' +
  'eval getattr ValueError os system posix numpy numpy.core.multiarray scalar _reconstruct dtype ndarray f8 i8 b1 O ' +
  'torch.storage TypedStorage copyreg _reconstructor __newobj__ object _codecs encode latin1 Size device float32 ' +
  'optimizer_states param_groups state exp_avg lr epoch global_step __proto__ constructor toString'
).split(' ');

/** Names whose calls build or copy something here. */
const CALLABLE = [
  ['collections', 'OrderedDict'],
  ['collections', 'defaultdict'],
  ['collections', 'deque'],
  ['builtins', 'set'],
  ['builtins', 'list'],
  ['builtins', 'tuple'],
  ['builtins', 'bytearray'],
  ['builtins', 'int'],
  ['torch', 'Size'],
  ['torch', 'device'],
  ['numpy', 'dtype'],
  ['numpy.core.multiarray', 'scalar'],
  ['_codecs', 'encode'],
  ['torch._utils', '_rebuild_tensor_v2'],
  ['torch._utils', '_rebuild_tensor_v3'],
  ['torch._utils', '_rebuild_parameter'],
  ['mymodule', 'Thing'],
];

const plain = (code: string): Instruction => ({ code: code.charCodeAt(0), argument: Buffer.alloc(0) });
const globalName = (module: string, name: string): Instruction => ({
  code: 0x63,
  argument: Buffer.from(`${module}\n${name}\n`),
});

/** A changed pickle: some of its instructions are dropped, repeated, exchanged or given other arguments. */
export function mutatePickle(data: Buffer, random: FuzzRandom): Buffer {
  const list = disassemble(data).instructions;
  for (let n = random.pick([1, 1, 1, 2, 2, 3, 5]); n > 0; n--) mutateInstructions(list, random);
  return assemble(list);
}

export function mutateInstructions(list: Instruction[], random: FuzzRandom): void {
  const at = random.below(list.length);
  const span = random.pick([1, 1, 2, 5, 20]);
  switch (random.below(11)) {
    case 0:
      list.splice(at, span);
      break;
    case 1:
      list.splice(at, 0, ...list.slice(at, at + span));
      break;
    case 2: {
      const other = random.below(list.length);
      [list[at], list[other]] = [list[other], list[at]];
      break;
    }
    case 3:
      list[at] = randomInstruction(random);
      break;
    case 4:
      list.splice(at, 0, randomInstruction(random));
      break;
    case 5:
    case 6:
      list[at] = { code: list[at].code, argument: randomArgument(ARGUMENTS.get(list[at].code)!, random) };
      break;
    case 7: {
      const from = random.below(list.length);
      list.splice(at, 0, ...list.slice(from, from + span));
      break;
    }
    case 8:
      // one instruction many times
      list.splice(
        at,
        0,
        ...Array(random.pick([10, 100, 3000])).fill(random.chance(0.5) ? list[at] : randomInstruction(random)),
      );
      break;
    case 9: {
      // the value on top becomes the argument of a call, often again and again
      const [module, name] = random.pick(CALLABLE);
      const call = [plain('('), globalName(module, name), plain('0'), plain('1')];
      const wrap = [...(random.chance(0.2) ? call : []), plain('\x85'), globalName(module, name)];
      const slot = { code: 0x71, argument: Buffer.of(250) };
      const get = { code: 0x68, argument: Buffer.of(250) };
      const once = [...wrap.slice(0, -1), slot, plain('0'), wrap.at(-1)!, get, plain('R')];
      for (let n = random.pick([1, 1, 3, 60]); n > 0; n--) list.splice(at, 0, ...once);
      break;
    }
    default: {
      // tuples of two of the same: doubles what a walk through the value visits
      const twice = [plain('2'), { code: 0x86, argument: Buffer.alloc(0) }];
      for (let n = random.pick([1, 10, 60]); n > 0; n--) list.splice(at, 0, ...twice);
    }
  }
  if (list.length === 0) list.push(plain('.'));
}

function randomInstruction(random: FuzzRandom): Instruction {
  const code = random.chance(0.97) ? random.pick(CODES) : random.below(256);
  return { code, argument: randomArgument(ARGUMENTS.get(code) ?? 0, random) };
}

function randomArgument(kind: ArgumentKind, random: FuzzRandom): Buffer {
  const word = () => (random.chance(0.9) ? random.pick(WORDS) : random.bytes(random.below(8)).toString('latin1'));
  const number = () => String(edgeInteger(random));
  switch (kind) {
    case 0:
      return Buffer.alloc(0);
    case 'line':
      return Buffer.from(`${random.pick([word, number, () => `'${word()}'`, () => `${number()}L`])()}\n`);
    case 'two lines':
      return Buffer.from(random.chance(0.5) ? `${word()}\n${word()}\n` : `${random.pick(CALLABLE).join('\n')}\n`);
    case 's1':
    case 's4':
    case 's8': {
      const text = random.chance(0.5) ? Buffer.from(word()) : edgeField(random, random.pick([1, 2, 4, 8] as const));
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(text.length));
      const width = Number(kind[1]) as 1 | 4 | 8;
      const length = random.chance(0.1) ? edgeField(random, width) : size.subarray(0, width);
      return Buffer.concat([length, text]);
    }
    default:
      return edgeField(random, kind);
  }
}
