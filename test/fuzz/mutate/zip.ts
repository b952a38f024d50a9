/** Zip archives as values whose every field can lie, and their mutations. */
import { crc32, deflateRawSync } from 'node:zlib';
import { edgeField, edgeInteger, type FuzzRandom } from '../random';
import { mutateBytes } from './bytes';
import { mutatePickle } from './pickle';

/** Fields of a header in place of the right ones. */
interface Lies {
  name?: string;
  flags?: number;
  method?: number;
  crc?: number;
  compressed?: number;
  size?: number;
  offset?: number;
  extra?: Buffer;
}
export interface ZipItem {
  name: string;
  data: Buffer;
  deflate: boolean;
  local: Lies;
  central: Lies;
}
export interface ZipModel {
  items: ZipItem[];
  /** Items of the directory that are listed, by index; default all in order. */
  listed?: number[];
  end: { count?: number; bytes?: number; offset?: number };
  /** With the 64-bit records. */
  end64?: { count?: bigint; bytes?: bigint; offset?: bigint; at?: bigint };
  prefix: Buffer;
  suffix: Buffer;
}

export function zipModel(files: [string, Buffer][], deflate = false): ZipModel {
  const items = files.map(([name, data]) => ({ name, data, deflate, local: {}, central: {} }));
  return { items, end: {}, prefix: Buffer.alloc(0), suffix: Buffer.alloc(0) };
}

const u16 = (value: number) => Buffer.of(value & 255, (value >> 8) & 255);
const u32 = (value: number) => {
  const field = Buffer.alloc(4);
  field.writeUInt32LE(value >>> 0);
  return field;
};
const u64 = (value: bigint) => {
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(BigInt.asUintN(64, value));
  return field;
};

export function writeZip(model: ZipModel): Buffer {
  const parts: Buffer[] = [model.prefix];
  let at = model.prefix.length;
  const records = model.items.map((item) => {
    const stored = item.deflate ? deflateRawSync(item.data) : item.data;
    const offset = at;
    const fields = (lies: Lies) => {
      const name = Buffer.from(lies.name ?? item.name, 'latin1');
      const extra = lies.extra ?? Buffer.alloc(0);
      const common = Buffer.concat([
        u16(20),
        u16(lies.flags ?? 0),
        u16(lies.method ?? (item.deflate ? 8 : 0)),
        u32(0x00210000),
        u32(lies.crc ?? crc32(item.data)),
        u32(lies.compressed ?? stored.length),
        u32(lies.size ?? item.data.length),
        u16(name.length),
        u16(extra.length),
      ]);
      return { common, name, extra };
    };
    const head = fields(item.local);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), head.common, head.name, head.extra, stored]);
    parts.push(local);
    at += local.length;
    const tail = fields(item.central);
    return Buffer.concat([
      Buffer.from('PK\x01\x02\x14\x00', 'latin1'),
      tail.common,
      Buffer.alloc(10),
      u32(item.central.offset ?? offset),
      tail.name,
      tail.extra,
    ]);
  });
  const directory = Buffer.concat((model.listed ?? records.map((_, i) => i)).map((i) => records[i % records.length]));
  const start = at;
  parts.push(directory);
  const count = records.length;
  if (model.end64) {
    const e = model.end64;
    const [n, bytes, from] = [e.count ?? BigInt(count), e.bytes ?? BigInt(directory.length), e.offset ?? BigInt(start)];
    parts.push(u32(0x06064b50), u64(44n), u16(45), u16(45), u32(0), u32(0), u64(n), u64(n), u64(bytes), u64(from));
    parts.push(u32(0x07064b50), u32(0), u64(e.at ?? BigInt(start + directory.length)), u32(1));
  }
  const { end } = model;
  parts.push(u32(0x06054b50), u32(0), u16(end.count ?? count), u16(end.count ?? count));
  parts.push(u32(end.bytes ?? directory.length), u32(end.offset ?? start), u16(0), model.suffix);
  return Buffer.concat(parts);
}

/** @param onlyPickle change what `data.pkl` says and nothing else */
export function mutateZip(model: ZipModel, random: FuzzRandom, onlyPickle: boolean): void {
  const { items } = model;
  const item = random.pick(items);
  const field = () => Number(BigInt.asUintN(32, edgeInteger(random)));
  if (onlyPickle || random.chance(0.1)) {
    const pickled = items.find(({ name }) => name.endsWith('data.pkl')) ?? item;
    try {
      pickled.data = mutatePickle(pickled.data, random);
    } catch {
      // the last change left something that cannot be taken apart
      pickled.data = mutateBytes(pickled.data, random);
    }
    return;
  }
  switch (random.below(13)) {
    case 0:
      item.data = mutateBytes(item.data, random);
      break;
    case 1:
      items.splice(items.indexOf(item), 1);
      break;
    case 2:
      items.splice(random.below(items.length), 0, { ...item, local: {}, central: {} });
      break;
    case 3:
      item.name = random.pick([
        random.pick(items).name,
        '../../x',
        '/etc/x',
        'archive/data.pkl',
        '',
        '\xff\xfe',
        'a'.repeat(5000),
      ]);
      break;
    case 4:
      item.deflate = !item.deflate;
      break;
    case 5:
    case 6: {
      const side = random.chance(0.5) ? item.local : item.central;
      const which = random.pick(['flags', 'method', 'crc', 'compressed', 'size', 'offset'] as const);
      side[which] = random.chance(0.7) ? field() : 0xffffffff;
      break;
    }
    case 7: {
      // a zip64 field with anything in it
      const wide = Buffer.concat([
        u16(1),
        random.chance(0.8) ? u16(24) : edgeField(random, 2),
        ...[0, 1, 2].map(() => u64(random.chance(0.5) ? BigInt(item.data.length) : edgeInteger(random))),
      ]);
      item.central = { ...item.central, size: 0xffffffff, compressed: 0xffffffff, extra: wide };
      if (random.chance(0.5)) item.central.offset = 0xffffffff;
      break;
    }
    case 8: {
      const which = random.pick(['count', 'bytes', 'offset'] as const);
      model.end[which] = random.chance(0.5) ? field() : 0xffffffff;
      break;
    }
    case 9: {
      model.end64 ??= {};
      if (random.chance(0.7))
        model.end64[random.pick(['count', 'bytes', 'offset', 'at'] as const)] = edgeInteger(random);
      if (random.chance(0.5)) model.end = { count: 0xffff, bytes: 0xffffffff, offset: 0xffffffff };
      break;
    }
    case 10:
      model.suffix = Buffer.concat([model.suffix, random.bytes(random.pick([1, 22, 100]))]);
      break;
    case 11:
      model.prefix = random.bytes(random.pick([1, 4, 64]));
      break;
    default:
      model.listed = Array.from({ length: items.length + 1 }, () => random.below(Math.max(1, items.length)));
  }
  if (items.length === 0) items.push({ ...item });
}
