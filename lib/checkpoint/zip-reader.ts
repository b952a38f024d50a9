/**
 * The part of the ZIP format that torch.save writes and re-packers produce (PKWARE APPNOTE 6.3: stored and deflated
 * entries, zip64), with every length and offset checked against the file. An archive that two readers could take for two
 * different things is refused: entries that overlap, or whose own header disagrees with the directory. Nothing is unpacked
 * to paths named in the file.
 */
import fs from 'node:fs';
import { crc32, createInflateRaw } from 'node:zlib';
import { damaged, unreadable } from './errors';

export interface ZipEntry {
  name: string;
  /** Bytes of the name. */
  nameLength: number;
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
/** A field of 32 bits that is too small for its value. */
const WIDE = 0xffffffff;
/** Longest central directory that is accepted, and most entries; the largest official checkpoints have 5,000. */
const LONGEST_DIRECTORY = 16 << 20;
const MOST_ENTRIES = 100_000;
const LONGEST_NAME = 4096;
/** Flag of an entry whose sizes and checksum follow its data; its own header may leave them zero. */
const SIZES_FOLLOW = 8;
const CHUNK = 4 << 20;

/** Thrown when the beginning of an entry has been read. */
const ENOUGH = new Error('enough');

interface EndRecord {
  count: number;
  /** Where the directory begins, and its bytes. */
  offset: number;
  bytes: number;
  /** Where this record itself begins: the directory ends there. */
  end: number;
}

/** An opened archive. */
export class ZipReader {
  readonly entries = new Map<string, ZipEntry>();
  readonly size: number;
  readonly #dataOffsets = new Map<ZipEntry, number>();
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
      zip.#readHeaders();
      return zip;
    } catch (error) {
      zip.close();
      throw error;
    }
  }
  close(): void {
    fs.closeSync(this.fd);
  }

  /** Where the entry's (compressed) data begins. */
  dataOffset(entry: ZipEntry): number {
    return this.#dataOffsets.get(entry)!;
  }

  /** The whole entry in memory, with its checksum verified. @param most bytes that are accepted */
  async readAll(entry: ZipEntry, most: number): Promise<Buffer> {
    if (entry.size > most)
      throw this.#bad(`the entry '${entry.name}' has ${entry.size} bytes; at most ${most} are accepted`);
    // untouched pages of a buffer of this size cost nothing, should the entry be shorter
    const whole = Buffer.alloc(entry.size);
    let at = 0;
    await this.stream(entry, (part) => {
      at += part.copy(whole, at);
    });
    return whole;
  }

  /** The first bytes of an entry, at most `length`, without a checksum. */
  async head(entry: ZipEntry, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let left = Math.min(length, entry.size);
    const take = async (part: Buffer) => {
      parts.push(Buffer.from(part.subarray(0, left)));
      left -= Math.min(left, part.length);
      if (left === 0) throw ENOUGH;
    };
    try {
      await (entry.deflated ? this.#inflate(entry, take) : this.#stored(entry, take, left));
    } catch (error) {
      if (error !== ENOUGH) throw error;
    }
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

  async #stored(entry: ZipEntry, take: (part: Buffer) => Promise<void>, piece = CHUNK): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(piece, entry.size));
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
    if (count > MOST_ENTRIES) throw this.#bad(`has ${count} entries; no checkpoint has more than ${MOST_ENTRIES}`);
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
    if (at !== bytes) throw this.#bad('its directory is damaged');
  }

  /** Reads every entry's own header and checks that it agrees with the directory and that no two entries overlap. */
  #readHeaders(): void {
    let end = 0;
    let before = '';
    for (const entry of [...this.entries.values()].sort((a, b) => a.headerOffset - b.headerOffset)) {
      if (entry.headerOffset < end) throw this.#bad(`the entries '${before}' and '${entry.name}' overlap`);
      const start = this.#readHeader(entry);
      end = start + entry.compressedSize;
      if (end > this.#directoryStart) throw this.#bad(`the entry '${entry.name}' reaches beyond the archive's data`);
      this.#dataOffsets.set(entry, start);
      before = entry.name;
    }
  }

  /** Returns where the data begins. */
  #readHeader(entry: ZipEntry): number {
    const head = this.#read(entry.headerOffset, Math.min(30 + entry.nameLength, this.size - entry.headerOffset));
    if (head.length < 30 || head.readUInt32LE(0) !== LOCAL) throw this.#bad(`the entry '${entry.name}' has no header`);
    const nameLength = head.readUInt16LE(26);
    const extraLength = head.readUInt16LE(28);
    if (nameLength !== entry.nameLength || decodeName(head.subarray(30)) !== entry.name)
      throw this.#bad(`the entry '${entry.name}' is called otherwise in its own header`);
    const extra = entry.headerOffset + 30 + nameLength;
    let sizes = [head.readUInt32LE(22), head.readUInt32LE(18)];
    if (sizes.includes(WIDE)) sizes = this.#wideFields(sizes, this.#read(extra, extraLength));
    const found = [head.readUInt32LE(14), ...sizes];
    const same = [entry.crc, entry.size, entry.compressedSize].every((value, i) => value === found[i]);
    const later = (head.readUInt16LE(6) & SIZES_FOLLOW) !== 0 && found.every((value) => value === 0);
    if ((head.readUInt16LE(8) === 8) !== entry.deflated || !(same || later))
      throw this.#bad(`the entry '${entry.name}' is described otherwise in its own header`);
    return extra + extraLength;
  }

  #addEntry(record: Buffer, nameLength: number, extraLength: number): void {
    const name = decodeName(record.subarray(46, 46 + nameLength));
    if (nameLength > LONGEST_NAME) throw this.#bad(`has an entry with a name of ${nameLength} bytes`);
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
    this.entries.set(name, { name, nameLength, size, compressedSize, crc, deflated: method === 8, headerOffset });
  }

  /** Replaces fields that are all ones by the 64-bit values of the zip64 extra field, which has only those, in order. */
  #wideFields(fields: number[], extra: Buffer): number[] {
    if (!fields.includes(WIDE)) return fields;
    for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
      if (extra.readUInt16LE(at) !== 1) continue;
      let from = at + 4;
      return fields.map((value) => {
        if (value !== WIDE) return value;
        if (from + 8 > extra.length) throw this.#bad('its directory is damaged');
        from += 8;
        return this.#safe(extra.readBigUInt64LE(from - 8));
      });
    }
    throw this.#bad('its directory is damaged');
  }

  #findEnd(): EndRecord {
    const length = Math.min(this.size, END_BYTES + 0xffff);
    const tail = this.#read(this.size - length, length);
    for (let at = length - END_BYTES; at >= 0; at--) {
      if (tail.readUInt32LE(at) !== END) continue;
      const endOffset = this.size - length + at;
      const plain = {
        count: tail.readUInt16LE(at + 10),
        bytes: tail.readUInt32LE(at + 12),
        offset: tail.readUInt32LE(at + 16),
        end: endOffset,
      };
      const wide = plain.count === 0xffff || plain.bytes === WIDE || plain.offset === WIDE || this.#hasEnd64(endOffset);
      const found = wide ? this.#findEnd64(endOffset, plain) : plain;
      if (found.offset + found.bytes === found.end) return found;
      if (found.offset + found.bytes < found.end) throw this.#bad('its directory is not where its end says');
    }
    throw this.#bad('is a zip archive without its directory: the file was cut off; copy or download it again');
  }

  #hasEnd64(endOffset: number): boolean {
    return endOffset >= 20 && this.#read(endOffset - 20, 4).readUInt32LE(0) === LOCATOR64;
  }

  /** The 64-bit end record; fields of the plain one that are not all ones must say the same. */
  #findEnd64(endOffset: number, plain: EndRecord): EndRecord {
    if (!this.#hasEnd64(endOffset)) throw this.#bad('its directory is damaged');
    const at = this.#safe(this.#read(endOffset - 20, 20).readBigUInt64LE(8));
    const record = this.#read(at, 56);
    if (record.readUInt32LE(0) !== END64) throw this.#bad('its directory is damaged');
    const [count, bytes, offset] = [32, 40, 48].map((field) => this.#safe(record.readBigUInt64LE(field)));
    const agrees = (small: number, all: number, large: number) => small === all || small === large;
    if (!agrees(plain.count, 0xffff, count) || !agrees(plain.bytes, WIDE, bytes) || !agrees(plain.offset, WIDE, offset))
      throw this.#bad('its two end records disagree');
    return { count, bytes, offset, end: at };
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

/** Names are UTF-8; where a packer wrote another encoding, each byte is a character. */
function decodeName(bytes: Buffer): string {
  const name = bytes.toString('utf8');
  return Buffer.byteLength(name) === bytes.length ? name : bytes.toString('latin1');
}

function readSome(fd: number, buffer: Buffer, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(fd, buffer, 0, length, position, (error, n) => (error ? reject(error) : resolve(n))),
  );
}
