/** Reads integer vectors that numpy.save wrote: the codebook subsets of VectorQuantizer2's `remap`. */
import { readFile } from 'node:fs/promises';
import { LdmError } from '../errors';
import { readNpyHeader } from '../npy';
import { Tensor } from '../tensor';

/**
 * @returns an int32 or int64 tensor [n], as the file has it
 * @throws LdmError ERR_FILE when the file cannot be read, ERR_DATA when it is no such vector
 */
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
  const { dtype, shape, start } = readNpyHeader(bytes) ?? fail('another format');
  const width = { '<i4': 4, '<i8': 8 }[dtype] ?? fail(`elements of type '${dtype}'`);
  if (shape.length !== 1) fail('an array with other than one dimension');
  const [length] = shape;
  if (bytes.length !== start + length * width) fail(`${bytes.length - start} bytes for ${length} elements`);
  const values = bytes.subarray(start);
  return Tensor.from(
    width === 8
      ? BigInt64Array.from({ length }, (_, i) => values.readBigInt64LE(8 * i))
      : Int32Array.from({ length }, (_, i) => values.readInt32LE(4 * i)),
  );
}
