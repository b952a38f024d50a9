/** What numpy.save writes. */

/** A vector of int64 in NPY format 1.0. */
export function npy(values: readonly number[], { descr = '<i8', shape = `(${values.length},)` } = {}): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = `${text.padEnd(117)}\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  const data = Buffer.from(BigInt64Array.from(values, BigInt).buffer);
  return Buffer.concat([head, length, Buffer.from(header, 'latin1'), data]);
}
