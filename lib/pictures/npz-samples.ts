/** Samples as numpy.savez writes them for evaluation: one array uint8 [n, height, width, channels] in a .npz file. */
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { LdmError } from '../errors';

/**
 * Collects samples on disk, so that any number of them fits in memory, and leaves `NxHxWxC-samples.npz` when all are there.
 * Dispose of it: what was not finished disappears.
 */
export class NpzSamples {
  readonly #raw: string;
  #file: fs.promises.FileHandle | undefined;
  #shape: readonly [number, number, number] | undefined;
  #added = 0;

  /** @param folder is made with the first sample @param n how many samples there will be */
  constructor(
    private readonly folder: string,
    private readonly n: number,
  ) {
    this.#raw = path.join(folder, `.samples.${process.pid}.tmp`);
  }

  /** Adds pixels [height, width, channels]; all samples have one size. */
  async add(pixels: Uint8Array, size: { height: number; width: number; channels: number }): Promise<void> {
    if (!this.#file) {
      fs.mkdirSync(this.folder, { recursive: true });
      this.#file = await fs.promises.open(this.#raw, 'wx');
      this.#shape = [size.height, size.width, size.channels];
      await this.#file.writeFile(npyHeader([this.n, ...this.#shape]));
    }
    await this.#file.appendFile(pixels);
    this.#added++;
  }

  /** Writes the file and returns its path. */
  async finish(): Promise<string> {
    if (!this.#file || this.#added !== this.n)
      throw new LdmError('ERR_INVALID_ARGUMENT', `Expected ${this.n} samples but ${this.#added} were added`);
    await this.#file.close();
    const file = path.join(this.folder, `${[this.n, ...this.#shape!].join('x')}-samples.npz`);
    const temporary = `${file}.part`;
    try {
      const zip = new ZipFile();
      zip.addFile(this.#raw, 'arr_0.npy', { compress: false });
      zip.end();
      await pipeline(zip.outputStream, fs.createWriteStream(temporary, { flush: true }));
      fs.renameSync(temporary, file);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw new LdmError('ERR_FILE', `Cannot write ${file}: ${(error as Error).message}`, { cause: error });
    }
    return file;
  }

  [Symbol.dispose](): void {
    this.#file?.close().catch(() => undefined);
    fs.rmSync(this.#raw, { force: true });
  }
}

/** The header of an .npy file, format 1.0: a Python literal, padded to a multiple of 64 bytes. */
function npyHeader(shape: readonly number[]): Buffer {
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const total = Math.ceil((10 + literal.length + 1) / 64) * 64;
  const text = `${literal.padEnd(total - 11)}\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}
