/** The header of numpy's .npy files (NPY format 1 to 3). */

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
