/** Archives of numpy.savez and numpy.savez_compressed: a zip file with one .npy record for each array. */
import type fs from 'node:fs';
import { TensorWriter } from '../checkpoint/tensor-writer';
import { type ZipEntry, ZipReader } from '../checkpoint/zip-reader';
import { ZipWriter } from '../checkpoint/zip-writer';
import { LdmError } from '../errors';
import { type NpyHeader, npyOf, readNpyHeader } from '../npy';

/** Longest header of an array; a few hundred bytes are usual. */
const LONGEST_HEADER = 64 << 10;

/** Elements of an array; 16-bit floats are raw bits. */
export type NpzData = Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array;

const TYPES: Record<string, new (buffer: ArrayBuffer) => NpzData> = {
  '<f4': Float32Array,
  '<f8': Float64Array,
  '<f2': Uint16Array,
  '<i8': BigInt64Array,
  '<i4': Int32Array,
};
const BYTES: Record<string, number> = { '<f4': 4, '<f8': 8, '<f2': 2, '<i8': 8, '<i4': 4 };

/** One array of an archive. */
export interface NpzArray {
  /** numpy's name of the element type: '<f4', '<f8', '<f2', '<i8' or '<i4'. */
  dtype: string;
  shape: readonly number[];
  /** Where its elements begin in the file; undefined where they are compressed. */
  byteOffset: number | undefined;
  /** All elements in row-major order, with the checksum verified. */
  read(): Promise<NpzData>;
}

/**
 * Opens the arrays of an archive by name. Nothing is read of them but their headers.
 * @throws LdmError ERR_FILE when the file cannot be read, ERR_DATA when it is damaged or holds other arrays
 */
export async function openNpz<Name extends string>(
  file: string,
  names: readonly Name[],
): Promise<Record<Name, NpzArray>> {
  return asData(async () => {
    const zip = ZipReader.open(file);
    try {
      const arrays = {} as Record<Name, NpzArray>;
      for (const name of names) {
        const entry = zip.entries.get(`${name}.npy`);
        if (!entry) throw new LdmError('ERR_DATA', `Expected an array '${name}' in ${file} but found ${namesIn(zip)}`);
        arrays[name] = arrayOf(zip, entry, await headerOf(zip, entry));
      }
      return arrays;
    } finally {
      zip.close();
    }
  });
}

function namesIn(zip: ZipReader): string {
  const names = [...zip.entries.keys()].slice(0, 8).map((name) => name.replace(/\.npy$/, ''));
  return names.join(', ') || 'nothing';
}

async function headerOf(zip: ZipReader, entry: ZipEntry): Promise<NpyHeader> {
  const head = await zip.head(entry, LONGEST_HEADER);
  const header = readNpyHeader(head);
  const fail = (what: string): never => {
    throw new LdmError('ERR_DATA', `Expected an array of numbers as '${entry.name}' in ${zip.file} but found ${what}`);
  };
  if (!header) return fail('another format');
  if (!Object.hasOwn(TYPES, header.dtype)) fail(`elements of type '${header.dtype}'`);
  if (header.fortran && header.shape.length > 1) fail('one in column order');
  if (entry.size !== header.start + countOf(header) * BYTES[header.dtype])
    fail(`${entry.size - header.start} bytes for [${header.shape.join(', ')}]`);
  return header;
}

const countOf = ({ shape }: NpyHeader) => shape.reduce((a, b) => a * b, 1);

function arrayOf(zip: ZipReader, entry: ZipEntry, { dtype, shape, start }: NpyHeader): NpzArray {
  const { file } = zip;
  const read = async (): Promise<NpzData> => {
    const again = ZipReader.open(file);
    try {
      const bytes = new Uint8Array(entry.size - start);
      let at = -start;
      await again.stream(again.entries.get(entry.name)!, (part) => {
        if (at + part.length > 0) bytes.set(part.subarray(Math.max(0, -at)), Math.max(0, at));
        at += part.length;
      });
      return new TYPES[dtype](bytes.buffer);
    } finally {
      again.close();
    }
  };
  return {
    dtype,
    shape,
    byteOffset: entry.deflated ? undefined : zip.dataOffset(entry) + start,
    read: () => asData(read),
  };
}

/** Writes an archive that is not compressed. Its data begins at multiples of 64 bytes, so that it can be mapped. */
export async function writeNpz(
  handle: fs.promises.FileHandle,
  arrays: Readonly<Record<string, { data: Float32Array | Float64Array | BigInt64Array; shape: readonly number[] }>>,
): Promise<void> {
  const zip = new ZipWriter(new TensorWriter(handle));
  for (const [name, { data, shape }] of Object.entries(arrays)) await zip.add(`${name}.npy`, npyOf(data, shape));
  await zip.finish();
}

/** A damaged archive is wrong data here, not a wrong checkpoint. */
async function asData<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (LdmError.is(error) && error.code === 'ERR_CHECKPOINT')
      throw new LdmError('ERR_DATA', error.message, { cause: error });
    throw error;
  }
}
