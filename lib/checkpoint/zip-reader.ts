/**
 * The part of the ZIP format that torch.save writes and re-packers produce (PKWARE APPNOTE 6.3: stored and deflated
 * entries, zip64), with every length and offset checked against the file. Nothing is unpacked to paths named in the file.
 */
import fs from 'node:fs';
import { crc32, createInflateRaw } from 'node:zlib';
import { damaged, unreadable } from './errors';

export interface ZipEntry {
  name: string;
  /** Bytes after decompression. */
  size: number;
  compressedSize: number;
  crc: number;
  deflated: boolean;
  headerOffset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
/** Longest central directory that is accepted: about 600,000 entries. */
const LONGEST_DIRECTORY = 64 << 20;
const CHUNK = 4 << 20;

/** An opened archive. */
export class ZipReader {
  readonly entries = new Map<string, ZipEntry>();
  readonly size: number;
  #directoryStart = 0;

  private constructor(
    readonly file: string,
    private readonly fd: number,
  ) {
    this.size = fs.fstatSync(fd).size;
  }

  /** @throws LdmError ERR_FILE, ERR_CHECKPOINT */
  static open(file: string): ZipReader {
    let fd: number;
    try {
      fd = fs.openSync(file, 'r');
    } catch (error) {
      throw unreadable(file, error);
    }
    const zip = new ZipReader(file, fd);
    try {
      zip.#readDirectory();
      return zip;
    } catch (error) {
      zip.close();
      throw error;
    }
  }
  close(): void {
    fs.closeSync(this.fd);
  }

  /** Where the entry's (compressed) data begins. Checks the local header. */
  dataOffset(entry: ZipEntry): number {
    const head = this.#read(entry.headerOffset, 30);
    if (head.readUInt32LE(0) !== LOCAL) throw this.#bad(`the entry '${entry.name}' has no header`);
    const nameLength = head.readUInt16LE(26);
    const start = entry.headerOffset + 30 + nameLength + head.readUInt16LE(28);
    const name = this.#read(entry.headerOffset + 30, nameLength).toString('utf8');
    if (name !== entry.name) throw this.#bad(`the entry '${entry.name}' is called otherwise in its own header`);
    if (start + entry.compressedSize > this.#directoryStart)
      throw this.#bad(`the entry '${entry.name}' reaches beyond the archive's data`);
    return start;
  }

  /** The whole entry in memory, with its checksum verified. @param most bytes that are accepted */
  async readAll(entry: ZipEntry, most: number): Promise<Buffer> {
    if (entry.size > most)
      throw this.#bad(`the entry '${entry.name}' has ${entry.size} bytes; at most ${most} are accepted`);
    const parts: Buffer[] = [];
    await this.stream(entry, (part) => void parts.push(Buffer.from(part)));
    return Buffer.concat(parts);
  }

  /** Reads the entry in pieces, decompresses and verifies length and checksum. A piece is valid during the call only. */
  async stream(entry: ZipEntry, onPart: (part: Buffer) => void | Promise<void>): Promise<void> {
    let seen = 0;
    let crc = 0;
    const take = async (part: Buffer) => {
      seen += part.length;
      if (seen > entry.size) throw this.#bad(`the entry '${entry.name}' is longer than its directory says`);
      crc = crc32(part, crc);
      await onPart(part);
    };
    if (entry.deflated) await this.#inflate(entry, take);
    else await this.#stored(entry, take);
    if (seen !== entry.size) throw this.#bad(`the entry '${entry.name}' has ${seen} bytes instead of ${entry.size}`);
    if (crc !== entry.crc)
      throw this.#bad(
        `the checksum of the entry '${entry.name}' is wrong: the file is damaged; copy or download it again`,
      );
  }

  async #stored(entry: ZipEntry, take: (part: Buffer) => Promise<void>): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, entry.size));
    let at = this.dataOffset(entry);
    for (let left = entry.size; left > 0; ) {
      const n = await readSome(this.fd, buffer, Math.min(left, buffer.length), at);
      if (n === 0) throw this.#bad(`ends within the entry '${entry.name}'`);
      await take(buffer.subarray(0, n));
      at += n;
      left -= n;
    }
  }

  async #inflate(entry: ZipEntry, take: (part: Buffer) => Promise<void>): Promise<void> {
    const start = this.dataOffset(entry);
    if (entry.compressedSize === 0) return;
    const end = start + entry.compressedSize - 1;
    const source = fs.createReadStream(this.file, { start, end });
    const inflated = createInflateRaw();
    source.on('error', (error) => inflated.destroy(error));
    try {
      for await (const part of source.pipe(inflated)) await take(part as Buffer);
    } catch (error) {
      if (/^(Z_|ERR_BUFFER)/.test((error as NodeJS.ErrnoException).code ?? ''))
        throw this.#bad(`the entry '${entry.name}' cannot be decompressed`);
      throw error;
    } finally {
      source.destroy();
    }
  }

  #readDirectory(): void {
    const { count, offset, bytes } = this.#findEnd();
    if (bytes > LONGEST_DIRECTORY) throw this.#bad(`its directory of ${bytes} bytes is longer than any checkpoint's`);
    this.#directoryStart = offset;
    const directory = this.#read(offset, bytes);
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (at + 46 > bytes || directory.readUInt32LE(at) !== CENTRAL) throw this.#bad('its directory is damaged');
      const lengths = [28, 30, 32].map((o) => directory.readUInt16LE(at + o));
      const end = at + 46 + lengths[0] + lengths[1] + lengths[2];
      if (end > bytes) throw this.#bad('its directory is damaged');
      this.#addEntry(directory.subarray(at, end), lengths[0], lengths[1]);
      at = end;
    }
  }

  #addEntry(record: Buffer, nameLength: number, extraLength: number): void {
    const name = record.toString('utf8', 46, 46 + nameLength);
    const method = record.readUInt16LE(10);
    if (record.readUInt16LE(8) & 1) throw this.#bad(`the entry '${name}' is encrypted`);
    if (method !== 0 && method !== 8)
      throw this.#bad(`the entry '${name}' uses the unknown compression method ${method}`);
    if (this.entries.has(name)) throw this.#bad(`the entry '${name}' appears twice`);
    const [size, compressedSize, headerOffset] = this.#wideFields(
      [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)],
      record.subarray(46 + nameLength, 46 + nameLength + extraLength),
    );
    if (headerOffset + compressedSize > this.size) throw this.#bad(`the entry '${name}' lies outside of the file`);
    if (method === 0 && size !== compressedSize) throw this.#bad(`the entry '${name}' has two different lengths`);
    const crc = record.readUInt32LE(16);
    this.entries.set(name, { name, size, compressedSize, crc, deflated: method === 8, headerOffset });
  }

  /** Replaces fields that are all ones by the 64-bit values of the zip64 extra field, which has only those, in order. */
  #wideFields(fields: number[], extra: Buffer): number[] {
    if (!fields.includes(0xffffffff)) return fields;
    for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
      if (extra.readUInt16LE(at) !== 1) continue;
      let from = at + 4;
      return fields.map((value) => {
        if (value !== 0xffffffff) return value;
        if (from + 8 > extra.length) throw this.#bad('its directory is damaged');
        from += 8;
        return this.#safe(extra.readBigUInt64LE(from - 8));
      });
    }
    throw this.#bad('its directory is damaged');
  }

  #findEnd(): { count: number; offset: number; bytes: number } {
    const length = Math.min(this.size, END_BYTES + 0xffff);
    const tail = this.#read(this.size - length, length);
    for (let at = length - END_BYTES; at >= 0; at--) {
      if (tail.readUInt32LE(at) !== END) continue;
      const endOffset = this.size - length + at;
      let count = tail.readUInt16LE(at + 10);
      let bytes = tail.readUInt32LE(at + 12);
      let offset = tail.readUInt32LE(at + 16);
      if (count === 0xffff || bytes === 0xffffffff || offset === 0xffffffff)
        ({ count, bytes, offset } = this.#findEnd64(endOffset));
      if (offset + bytes <= endOffset) return { count, offset, bytes };
    }
    throw this.#bad('is a zip archive without its directory: the file was cut off; copy or download it again');
  }

  #findEnd64(endOffset: number): { count: number; offset: number; bytes: number } {
    const locator = this.#read(endOffset - 20, 20);
    if (locator.readUInt32LE(0) !== LOCATOR64) throw this.#bad('its directory is damaged');
    const end = this.#read(this.#safe(locator.readBigUInt64LE(8)), 56);
    if (end.readUInt32LE(0) !== END64) throw this.#bad('its directory is damaged');
    const [count, bytes, offset] = [32, 40, 48].map((at) => this.#safe(end.readBigUInt64LE(at)));
    return { count, bytes, offset };
  }

  #read(offset: number, length: number): Buffer {
    if (offset < 0 || offset + length > this.size) throw this.#bad('is cut off or damaged');
    const buffer = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const n = fs.readSync(this.fd, buffer, filled, length - filled, offset + filled);
      if (n === 0) throw this.#bad('is cut off');
      filled += n;
    }
    return buffer;
  }
  #safe(value: bigint): number {
    if (value > BigInt(this.size)) throw this.#bad('its directory is damaged');
    return Number(value);
  }
  #bad(what: string) {
    return damaged(this.file, what);
  }
}

function readSome(fd: number, buffer: Buffer, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(fd, buffer, 0, length, position, (error, n) => (error ? reject(error) : resolve(n))),
  );
}
