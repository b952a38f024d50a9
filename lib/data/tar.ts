/** Headers of tar archives (POSIX ustar and pax, GNU long names), read without the contents. */
import { type FileHandle, open } from 'node:fs/promises';
import { LdmError } from '../errors';

/** A file in an archive. */
export interface TarEntry {
  /** Path within the archive. */
  name: string;
  /** Where its bytes begin in the archive. */
  offset: number;
  size: number;
}

const BLOCK = 512;
/** Names and pax records longer than this are damage. */
const LONGEST_NAME = 1 << 20;

/**
 * The files of an archive in order.
 * @throws LdmError ERR_DATA when it is damaged, or compressed
 */
export async function* tarEntries(file: string): AsyncGenerator<TarEntry> {
  const handle = await open(file);
  try {
    const size = (await handle.stat()).size;
    let given: { name?: string; size?: number } = {};
    for (let at = 0; at < size; ) {
      if (at + BLOCK > size) throw new LdmError('ERR_DATA', `The archive ${file} is cut off at ${size} bytes.`);
      const header = await readBytes(handle, at, BLOCK);
      if (header.every((byte) => byte === 0)) return;
      if (!isHeader(header)) throw damaged(file, at, header);
      const own = numberAt(header, 124, 12);
      const type = String.fromCharCode(header[156]);
      const length = type === 'x' || type === 'L' ? own : (given.size ?? own);
      const offset = at + BLOCK;
      if (offset + length > size)
        throw new LdmError(
          'ERR_DATA',
          `The archive ${file} is cut off: ${nameOf(header)} ends beyond its ${size} bytes.`,
        );
      at = offset + Math.ceil(length / BLOCK) * BLOCK;
      if (type === 'x' || type === 'L') {
        if (length > LONGEST_NAME) throw damaged(file, offset - BLOCK, header);
        const text = (await readBytes(handle, offset, length)).toString('utf8');
        given = type === 'L' ? { ...given, name: text.replace(/\0.*$/s, '') } : { ...given, ...paxRecords(text) };
        continue;
      }
      // '0' and NUL are files; folders and links hold nothing of use.
      if (type === '0' || type === '\0') yield { name: given.name ?? nameOf(header), offset, size: length };
      given = {};
    }
  } finally {
    await handle.close();
  }
}

/** Reads a part of a file. */
export async function readPart(file: string, offset: number, size: number): Promise<Buffer> {
  const handle = await open(file);
  try {
    return await readBytes(handle, offset, size);
  } finally {
    await handle.close();
  }
}

async function readBytes(handle: FileHandle, offset: number, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  const { bytesRead } = await handle.read(buffer, 0, size, offset);
  if (bytesRead < size) throw new LdmError('ERR_DATA', `Expected ${size} bytes at ${offset} but read ${bytesRead}.`);
  return buffer;
}

/** The sum of the bytes, with blanks in place of the sum itself. */
function isHeader(header: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return sum === numberAt(header, 148, 8);
}

/** Octal digits, or GNU's base 256. */
function numberAt(header: Buffer, start: number, length: number): number {
  if (header[start] & 0x80) return header.readUIntBE(start + length - 6, 6);
  return Number.parseInt(textAt(header, start, length).trim() || '0', 8);
}

function textAt(header: Buffer, start: number, length: number): string {
  const end = header.indexOf(0, start);
  return header.toString('utf8', start, end < 0 ? start + length : Math.min(end, start + length));
}

function nameOf(header: Buffer): string {
  const prefix = textAt(header, 257, 5) === 'ustar' ? textAt(header, 345, 155) : '';
  const name = textAt(header, 0, 100);
  return prefix ? `${prefix}/${name}` : name;
}

/** Lines `length key=value`. */
function paxRecords(text: string): { name?: string; size?: number } {
  const records = Object.fromEntries(
    [...text.matchAll(/^\d+ ([^=\n]+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
  );
  return {
    ...(records.path === undefined ? {} : { name: records.path }),
    ...(records.size === undefined ? {} : { size: Number(records.size) }),
  };
}

function damaged(file: string, at: number, header: Buffer): LdmError {
  const compressed = at === 0 && header[0] === 0x1f && header[1] === 0x8b;
  return new LdmError(
    'ERR_DATA',
    compressed
      ? `${file} is compressed. Unpack it to a plain .tar: its images are compressed already.`
      : `The archive ${file} is damaged at byte ${at}: expected the header of a file.`,
  );
}
