/**
 * Files that ask for far more time or memory than they have bytes. Each is refused; the test beside measures what that
 * costs, in a process of its own: `floods.ts FOLDER` prints a line of JSON for each.
 */
import fs from 'node:fs';
import path from 'node:path';
import { measured, outcomeOf } from '../fuzz/reader';
import { zipOf } from '../helpers/zip';
import { bytes, call, DATA, global, int, type Piece, statePickle, tensor, text, torchZip, tuple } from './torch-file';

const MB = 1 << 20;
/** About as long as a pickle may be. */
const LONG = 31 * MB;

/** A piece again and again until it has `length` bytes. */
const fill = (piece: Piece, length = LONG): Buffer => {
  const one = bytes(piece);
  return Buffer.alloc(Math.floor(length / one.length) * one.length, one);
};
const flood = (...pieces: Piece[]): Buffer => torchZip(bytes('\x80\x04', ...pieces, '.'));
/** The value before it goes to slot 1. */
const KEEP = 'q\x01';
const AGAIN = 'h\x01';
/** A list of a million numbers, kept in slot 1. */
const MILLION = bytes(']', KEEP, '(', fill('K\x07', 2e6), 'e');
/** Tuples of two of the same, 60 deep: 2^60 values for who walks through them. */
const LAUGHS = bytes(')', fill('2\x86', 120));
const MAGIC = bytes('\x80\x02\x8a\x0a', Buffer.from('6cfc9c46f9206aa85019', 'hex'), '.');
const SYSTEM = bytes('\x80\x02}', text('little_endian'), '\x88s.');
const legacy = (...rest: Piece[]): Buffer => bytes(MAGIC, '\x80\x02M\xe9\x03.', SYSTEM, ...rest);
const safetensors = (header: Piece, data = 0): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return bytes(length, header, Buffer.alloc(data));
};
const laughingStorage = (key: Piece, type: Piece = global('torch', 'FloatStorage'), numel: Piece = int(4)): Buffer =>
  flood(tuple(text('storage'), type, key, text('cpu'), numel), 'Q');

export const FLOODS: Record<string, () => Buffer> = {
  'lists without end': () => flood(fill(']')),
  'dictionaries without end': () => flood(fill('}')),
  'sets without end': () => flood(fill('\x8f')),
  'tuples without end': () => flood('N', fill('\x85')),
  'marks without end': () => flood(fill('(')),
  'values without end': () => flood(fill('N')),
  'the same value without end': () => flood('N', KEEP, fill(AGAIN)),
  'values that are dropped again': () => flood(fill('N0')),
  'floats without end': () => flood(fill('G\x3f\xf1\x23\x45\x67\x89\xab\xcd')),
  'long integers without end': () => flood(fill(bytes('\x8a\xff', Buffer.alloc(255, 0x55)))),
  'digits without end': () => flood(fill(`L${'7'.repeat(4000)}L\n`)),
  'texts without end': () => flood(fill('\x8c\x02ab')),
  'one text': () => flood(text('a'.repeat(LONG))),
  'a text of wide characters': () => flood(text('\u4e2d'.repeat(LONG / 3))),
  'lines without end': () => flood(fill(`S'${'x'.repeat(100_000)}'\n0`)),
  'classes without end': () => flood(fill('ca\nb\n0')),
  'calls without end': () => flood(global('collections', 'OrderedDict'), KEEP, fill(`${AGAIN})R0`)),
  'placeholders without end': () => flood(global('a', 'b'), KEEP, fill(`${AGAIN})R`)),
  'tensors without end': () => {
    const whole = tensor();
    const named = bytes(global('torch._utils', '_rebuild_tensor_v2'), KEEP);
    const arguments_ = bytes(whole.subarray(global('torch._utils', '_rebuild_tensor_v2').length, -1), 'q\x02');
    return flood(named, arguments_, 'R', fill('h\x01h\x02R'));
  },
  'memo slots far apart': () => flood('N', 'r\xff\xff\xff\xff'),
  'memo slots without end': () => {
    const puts = fill('r\x00\x00\x00\x00');
    for (let i = 0; i * 5 < puts.length; i++) puts.writeUInt32LE(i, i * 5 + 1);
    return flood('N', puts);
  },
  'copies of a long list': () => flood(MILLION, fill(bytes('0', global('builtins', 'list'), AGAIN, '\x85R'), MB)),
  'sets of a long list': () => flood(MILLION, fill(bytes('0', global('builtins', 'set'), AGAIN, '\x85R'), MB)),
  'copies of a long text': () =>
    flood(text('a'.repeat(MB)), KEEP, fill(bytes('0', global('_codecs', 'encode'), AGAIN, '\x85R'), MB)),
  'dictionaries of dictionaries': () =>
    flood(
      '}(',
      fill(bytes(int(1), 'N'), 50_000),
      'u',
      KEEP,
      fill(bytes(global('builtins', 'dict'), AGAIN, '\x85R0'), MB),
    ),
  'keys that may collide': () => {
    // 2^40 apart, so that the low bits of a simple hash are the same
    const items = fill('G\x00\x00\x00\x00\x00\x00\x00\x00N', 4e6);
    for (let i = 0; i * 10 < items.length; i++) items.writeDoubleBE(i * 2 ** 40, i * 10 + 1);
    return flood('}(', items, 'u');
  },
  'shapes of a million sizes': () => flood(MILLION, fill(bytes('0', tensorOf(AGAIN)), MB)),
  'a thousand views of a gigabyte': () =>
    flood(...Array.from({ length: 1000 }, () => bytes(tensor({ size: [2 ** 24 - 1], stride: [0] }), '0'))),
  'laughs as a device': () => flood(global('torch', 'device'), LAUGHS, '\x85R'),
  'laughs as a dtype': () => flood(global('numpy', 'dtype'), LAUGHS, '\x85R'),
  'laughs as a storage key': () => laughingStorage(LAUGHS),
  'laughs as a storage class': () => laughingStorage(text('0'), LAUGHS),
  'laughs as a storage size': () => laughingStorage(text('0'), undefined, LAUGHS),
  'laughs as a name of a class': () => flood(LAUGHS, text('b'), '\x93'),
  'laughs as the key of a state dict': () => flood('}', LAUGHS, 'Ns'),
  'laughs as the version of a legacy file': () => bytes(MAGIC, '\x80\x02', LAUGHS, '.'),
  'laughs as the storages of a legacy file': () =>
    legacy(statePickle(tensor()), '\x80\x02', ']', LAUGHS, 'a.', Buffer.alloc(24)),
  'a legacy file of instructions': () => legacy('\x80\x02', fill('N0', 60 * MB), '.'),
  'a legacy file of empty storages': () =>
    legacy(
      '\x80\x02](',
      fill(bytes(tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), int(0)), 'Q')),
      'e.',
    ),
  'a deflated pickle of nothing': () => zipOf({ 'a/data.pkl': { deflate: fill('N0') }, 'a/data/0': DATA }),
  'a deflated pickle that is too long': () => zipOf({ 'a/data.pkl': { deflate: Buffer.alloc(200 * MB, 'N') } }),
  'a gigabyte of zeros in a megabyte': () => {
    const numel = (160 * MB) / 4;
    const value = (key: number) => tensor({ key: String(key), numel, size: [numel], stride: [1] });
    const zeros = { deflate: Buffer.alloc(160 * MB) };
    return zipOf({ 'a/data.pkl': statePickle(value(0), { a: value(1) }), 'a/data/0': zeros, 'a/data/1': zeros });
  },
  'sixty thousand entries': () =>
    zipOf(Array.from({ length: 60_000 }, (_, i): [string, Buffer] => [`a/${i}`, Buffer.alloc(0)])),
  'many entries with long names': () =>
    zipOf(Array.from({ length: 7000 }, (_, i): [string, Buffer] => [`${'n'.repeat(3000)}${i}`, Buffer.alloc(0)])),
  'a tail of end records': () =>
    bytes(
      torchZip(statePickle(tensor())),
      fill('PK\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff', 65_000),
    ),
  'a header of 100 MB of blanks': () => safetensors(bytes('{}', Buffer.alloc(100 * MB - 2, ' '))),
  'a header of 16 MB of blanks': () => safetensors(bytes('{"a"', Buffer.alloc(16 * MB - 4, ' '))),
  'a header of tiny tensors': () => safetensors(bytes('{', fill('"a":{"dtype":"U8"},', 16 * MB - 100), '"b":{}}')),
  'a header of lists': () => safetensors(bytes('{"a":[', fill('[],', 16 * MB - 100), '[]]}')),
  'a header of numbers': () => safetensors(bytes('{"a":{"dtype":"U8","shape":[', fill('1,', 16 * MB - 100), '1]}}')),
  'a header with one long name': () => safetensors(bytes('{"', fill('a', 16 * MB - 100), '":1}')),
  'a header of escapes': () => safetensors(bytes('{"', fill('\\u0061', 16 * MB - 100), '":1}')),
  'a header of different names': () =>
    safetensors(bytes(`{${Array.from({ length: 290_000 }, (_, i) => `"${i}":{}`).join()}}`)),
};

/** A tensor whose shape and strides are given as instructions. */
function tensorOf(shape: Piece): Buffer {
  const storage = bytes(tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), int(4)), 'Q');
  const hooks = bytes(global('collections', 'OrderedDict'), ')R');
  return call('torch._utils', '_rebuild_tensor_v2', storage, int(0), shape, shape, '\x89', hooks);
}

async function main(folder: string, only?: string): Promise<void> {
  const file = path.join(folder, 'flood.ckpt');
  await outcomeOf(path.join(__dirname, 'samples/bfloat16.ckpt'));
  for (const [name, make] of Object.entries(FLOODS)) {
    if (only && name !== only) continue;
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, make());
    (globalThis as { gc?: () => void }).gc?.();
    console.log(JSON.stringify({ name, ...(await measured(() => outcomeOf(file))) }));
  }
}

if (require.main === module) void main(process.argv[2], process.argv[3]);
