/** Builds small torch zip files by hand, right ones and wrong ones. */
import { zipOf } from '../helpers/zip';

/** A piece of a pickle. */
export type Piece = string | Buffer;

export const bytes = (...pieces: Piece[]): Buffer =>
  Buffer.concat(pieces.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : p)));

/** BINUNICODE */
export function text(value: string): Buffer {
  const data = Buffer.from(value);
  const head = Buffer.alloc(5);
  head[0] = 0x58;
  head.writeUInt32LE(data.length, 1);
  return Buffer.concat([head, data]);
}
/** LONG1 of 8 bytes */
export function int(value: number): Buffer {
  const part = Buffer.alloc(10);
  part[0] = 0x8a;
  part[1] = 8;
  part.writeBigInt64LE(BigInt(value), 2);
  return part;
}
export const global = (module: string, name: string): Buffer => bytes(`c${module}\n${name}\n`);
export const tuple = (...items: Piece[]): Buffer => bytes('(', ...items, 't');
/** A call: REDUCE. */
export const call = (module: string, name: string, ...args: Piece[]): Buffer =>
  bytes(global(module, name), tuple(...args), 'R');

export interface View {
  type?: string;
  key?: string;
  numel?: number;
  offset?: number;
  size?: number[];
  stride?: number[];
}

/** A tensor of torch._utils._rebuild_tensor_v2; by default 2x2 floats over the record data/0. */
export function tensor(view: View = {}): Buffer {
  const { type = 'FloatStorage', key = '0', numel = 4, offset = 0, size = [2, 2], stride = [2, 1] } = view;
  const storage = bytes(tuple(text('storage'), global('torch', type), text(key), text('cpu'), int(numel)), 'Q');
  const hooks = bytes(global('collections', 'OrderedDict'), ')R');
  const args = [storage, int(offset), tuple(...size.map(int)), tuple(...stride.map(int)), '\x89', hooks];
  return call('torch._utils', '_rebuild_tensor_v2', ...args);
}

/** A pickle of {'state_dict': {'w': value}, ...more}. */
export function statePickle(value: Piece, more: Record<string, Piece> = {}): Buffer {
  const rest = Object.entries(more).flatMap(([key, item]) => [text(key), item]);
  return bytes('\x80\x02}(', text('state_dict'), '}(', text('w'), value, 'u', ...rest, 'u.');
}

/** 1, 2, 3, 4 */
export const DATA = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);

/** A torch zip around a pickle and the record data/0. */
export function torchZip(pickle: Buffer, more: [string, Piece][] = []): Buffer {
  const files: [string, Piece][] = [
    ['archive/data.pkl', pickle],
    ['archive/data/0', DATA],
    ['archive/version', '3\n'],
    ...more,
  ];
  return zipOf(files);
}
