/** Reads pictures that numpy.save wrote: bytes [1, 3, height, width], the form of CelebA-HQ in the reference. */
import { readFile } from 'node:fs/promises';
import { LdmError } from '../errors';
import { readNpyHeader } from '../npy';
import type { ImageSource } from './decode';
import type { Pixels } from './pixels';

/** @throws LdmError ERR_DATA when the file cannot be read or holds something else */
export async function readNpyImage(source: ImageSource): Promise<Pixels> {
  const name = typeof source === 'string' ? source : source.name;
  const fail = (found: string): never => {
    throw new LdmError(
      'ERR_DATA',
      `Cannot read the image ${name}: expected bytes [1, 3, height, width] in numpy's .npy format but found ${found}`,
    );
  };
  const bytes = typeof source === 'string' ? await read(source) : source.bytes;
  const { dtype, shape, fortran, start } = readNpyHeader(bytes) ?? fail('another format');
  if (!/^[|<>=]?u1$/.test(dtype) || fortran || shape.length !== 4 || shape[0] !== 1 || shape[1] !== 3)
    fail(`${dtype} [${shape.join(', ')}]${fortran ? ' in column order' : ''}`);
  const [, , height, width] = shape;
  const pixels = width * height;
  if (bytes.length !== start + 3 * pixels) fail(`${bytes.length - start} bytes for ${width}x${height} pixels`);
  const data = new Uint8Array(3 * pixels);
  for (let c = 0; c < 3; c++)
    for (let i = 0, from = start + c * pixels; i < pixels; i++) data[3 * i + c] = bytes[from + i];
  return { data, width, height };
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new LdmError('ERR_DATA', `Cannot read the image ${file}: ${(error as Error).message}`, { cause: error });
  }
}
