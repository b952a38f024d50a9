/**
 * Writes zip archives as torch.save does (caffe2/serialize/inline_container.cc): stored entries whose data begins at
 * multiples of 64 bytes, and zip64 records where sizes or offsets need them.
 */
import { crc32 } from 'node:zlib';
import type { TensorRecipe } from './tensor-recipe';
import { bytesOfRecipe, type TensorWriter } from './tensor-writer';

const ALIGNMENT = 64;
const WIDE = 0xffffffff;
/** 1 January 1980, the earliest date of the format: files depend on their content only. */
const DATE = 0x0021;

interface Written {
  name: Buffer;
  size: number;
  crc: number;
  offset: number;
}

export class ZipWriter {
  readonly #entries: Written[] = [];

  constructor(private readonly writer: TensorWriter) {}

  /** Adds an entry from memory. */
  async add(name: string, data: Buffer): Promise<void> {
    const entry = await this.#begin(name, data.length, crc32(data));
    await this.writer.bytes(data);
    this.#entries.push(entry);
  }
  /** Adds a tensor's elements. The checksum is known afterwards and written into the header then. */
  async addTensor(name: string, recipe: TensorRecipe): Promise<{ overflowed: number }> {
    const entry = await this.#begin(name, bytesOfRecipe(recipe), 0);
    const written = entry.size > 0 ? await this.writer.tensor(recipe) : { crc32: 0, overflowed: 0 };
    entry.crc = written.crc32;
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(entry.crc);
    await this.writer.patch(crc, entry.offset + 14);
    this.#entries.push(entry);
    return { overflowed: written.overflowed };
  }
  /** Writes the directory. */
  async finish(): Promise<void> {
    const start = this.writer.position;
    for (const entry of this.#entries) await this.writer.bytes(centralRecord(entry));
    const bytes = this.writer.position - start;
    await this.writer.bytes(endRecords(this.#entries.length, bytes, start));
  }

  async #begin(name: string, size: number, crc: number): Promise<Written> {
    const entry = { name: Buffer.from(name, 'utf8'), size, crc, offset: this.writer.position };
    await this.writer.bytes(localHeader(entry));
    return entry;
  }
}

function localHeader({ name, size, crc, offset }: Written): Buffer {
  const wide = size >= WIDE ? wideField(size, size) : Buffer.alloc(0);
  // torch pads with a private extra field 'FB'
  const unpadded = offset + 30 + name.length + wide.length + 4;
  const padding = Buffer.alloc(4 + ((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT), 'Z');
  padding.write('FB', 0, 'latin1');
  padding.writeUInt16LE(padding.length - 4, 2);
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(wide.length ? 45 : 20, 4);
  head.writeUInt16LE(0x0800, 6); // names are UTF-8
  head.writeUInt16LE(DATE, 12);
  head.writeUInt32LE(crc, 14);
  head.writeUInt32LE(Math.min(size, WIDE), 18);
  head.writeUInt32LE(Math.min(size, WIDE), 22);
  head.writeUInt16LE(name.length, 26);
  head.writeUInt16LE(wide.length + padding.length, 28);
  return Buffer.concat([head, name, wide, padding]);
}

function centralRecord({ name, size, crc, offset }: Written): Buffer {
  const fields = [...(size >= WIDE ? [size, size] : []), ...(offset >= WIDE ? [offset] : [])];
  const wide = fields.length ? wideField(...fields) : Buffer.alloc(0);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(wide.length ? 45 : 20, 4);
  head.writeUInt16LE(wide.length ? 45 : 20, 6);
  head.writeUInt16LE(0x0800, 8);
  head.writeUInt16LE(DATE, 14);
  head.writeUInt32LE(crc, 16);
  head.writeUInt32LE(Math.min(size, WIDE), 20);
  head.writeUInt32LE(Math.min(size, WIDE), 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(wide.length, 30);
  head.writeUInt32LE(Math.min(offset, WIDE), 42);
  return Buffer.concat([head, name, wide]);
}

/** zip64 records are always written, as torch does; the plain record repeats what fits. */
function endRecords(count: number, bytes: number, start: number): Buffer {
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(45, 12);
  end64.writeUInt16LE(45, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + bytes), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, 0xffff), 8);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(Math.min(bytes, WIDE), 12);
  end.writeUInt32LE(Math.min(start, WIDE), 16);
  return Buffer.concat([end64, locator, end]);
}

function wideField(...values: number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => void field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return field;
}
