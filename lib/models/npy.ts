/** Reads integer vectors that numpy.save wrote (NPY format 1 to 3): the codebook subsets of VectorQuantizer2's `remap`. */
import { readFile } from 'node:fs/promises';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/** @returns an int64 tensor [n]. @throws LdmError ERR_FILE when the file cannot be read, ERR_DATA when it is no such vector */
export async function readIndexArray(file: string): Promise<Tensor> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  const fail = (found: string): never => {
    throw new LdmError(
      'ERR_DATA',
      `Expected a vector of integers in numpy's .npy format in ${file} but found ${found}`,
    );
  };
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(MAGIC)) fail('another format');
  const wide = bytes[6] >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  const header = bytes.toString('latin1', start, end);
  const dtype = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const length = Number(/'shape':\s*\((\d+),\)/.exec(header)?.[1] ?? Number.NaN);
  const width = { '<i4': 4, '<i8': 8 }[dtype] ?? fail(`elements of type '${dtype}'`);
  if (Number.isNaN(length)) fail('an array with other than one dimension');
  if (bytes.length !== end + length * width) fail(`${bytes.length - end} bytes for ${length} elements`);
  const values = BigInt64Array.from({ length }, (_, i) =>
    width === 8 ? bytes.readBigInt64LE(end + 8 * i) : BigInt(bytes.readInt32LE(end + 4 * i)),
  );
  return Tensor.from(values);
}
