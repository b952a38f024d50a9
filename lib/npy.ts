/** numpy's .npy files (NPY format 1 to 3): reading their header, writing whole ones. */

import { types } from 'node:util';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

export interface NpyHeader {
  /** Element type as numpy writes it, such as '<i8' or '|u1'. */
  dtype: string;
  shape: number[];
  /** Whether the elements lie column by column. */
  fortran: boolean;
  /** Where the elements begin. */
  start: number;
}

/** Reads the header; undefined when it is none. */
export function readNpyHeader(bytes: Uint8Array): NpyHeader | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 12 || !buffer.subarray(0, 6).equals(MAGIC)) return undefined;
  const wide = buffer[6] >= 2;
  const from = wide ? 12 : 10;
  const start = from + (wide ? buffer.readUInt32LE(8) : buffer.readUInt16LE(8));
  const header = buffer.toString('latin1', from, start);
  const dtype = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (dtype === undefined || shape === undefined) return undefined;
  const sides = shape.split(',').map((n) => n.trim());
  return {
    dtype,
    shape: sides.filter((n) => n !== '').map(Number),
    fortran: /'fortran_order':\s*True/.test(header),
    start,
  };
}

/** An array as numpy.save writes it, in row-major order; its elements begin at a multiple of 64 bytes. */
export function npyOf(data: Float32Array | Float64Array | BigInt64Array, shape: readonly number[]): Buffer {
  const dtype = types.isFloat64Array(data) ? '<f8' : types.isFloat32Array(data) ? '<f4' : '<i8';
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${sides}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01', 'latin1');
  head.writeUInt16LE(length, 8);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([head, Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1'), bytes]);
}
