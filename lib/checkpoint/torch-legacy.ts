/**
 * What torch.save wrote before PyTorch 1.6 (torch/serialization.py, _legacy_load): pickles of a magic number, the
 * protocol version, facts about the writing machine, the object and the list of storage keys, then each storage as a
 * 64-bit element count and its elements.
 */
import fs from 'node:fs';
import { Budget } from './budget';
import { FileSource, OutOfBytes } from './byte-source';
import { damaged, shown, unreadable } from './errors';
import { ITEM_SIZE, type Mappings } from './mapped-tensor';
import type { Pickled } from './pickle-machine';
import { readTorchPickle, type StorageRequest } from './torch-pickle';
import type { TorchFile } from './torch-zip';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** Longest single item (a string) of the pickles. */
const LONGEST_ITEM = 16 << 20;

/** Whether these first bytes may be a pickle: PROTO, or the mark or list that a protocol 0 or 1 pickle begins with. */
export function looksLikePickle(head: Buffer): boolean {
  return head.length > 1 && (head[0] === 0x80 || head[0] === 0x28 || head[0] === 0x4c || head[0] === 0x7d);
}

/** Reads and checks a legacy checkpoint. */
export function readTorchLegacy(file: string, mappings: Mappings): TorchFile {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    return readStream(file, new FileSource(fd, fs.fstatSync(fd).size, LONGEST_ITEM), mappings);
  } catch (error) {
    if (error instanceof OutOfBytes) throw damaged(file, 'is cut off; copy or download it again');
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

interface PlacedStorage extends StorageRequest {
  byteOffset: number;
  bigEndian: boolean;
}

function readStream(file: string, source: FileSource, mappings: Mappings): TorchFile {
  const skipped = new Set<string>();
  const storages = new Map<string, PlacedStorage>();
  const find = (request: StorageRequest) => {
    const known = storages.get(request.key);
    if (known && (known.dtype !== request.dtype || known.numel !== request.numel))
      throw damaged(file, `describes the storage '${request.key}' in two ways`);
    const storage = known ?? { ...request, byteOffset: -1, bigEndian: false };
    storages.set(request.key, storage);
    const location = () => ({ file, byteOffset: storage.byteOffset, bigEndian: storage.bigEndian });
    return { dtype: storage.dtype, numel: storage.numel, location };
  };
  const budget = new Budget();
  const next = () => readTorchPickle(source, { file, mappings, find, skipped }, budget);

  if (next() !== MAGIC) throw damaged(file, 'is a pickle but no checkpoint of torch.save');
  const protocol = next();
  if (protocol !== PROTOCOL) throw damaged(file, `has the format version ${shown(protocol)}; ${PROTOCOL} is expected`);
  const system = next();
  const bigEndian = system instanceof Map && system.get('little_endian') === false;
  const root = next();
  placeStorages(file, source, storages, next(), bigEndian);
  return { root, skipped };
}

function placeStorages(
  file: string,
  source: FileSource,
  storages: Map<string, PlacedStorage>,
  keys: Pickled,
  bigEndian: boolean,
): void {
  if (!Array.isArray(keys)) throw damaged(file, 'has no list of storages');
  const placed = new Set<string>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || placed.has(key)) throw damaged(file, `lists the storage ${shown(key)}, which it does not use`);
    const count = source.bytes(8);
    const numel = bigEndian ? count.readBigInt64BE() : count.readBigInt64LE();
    if (numel !== BigInt(storage.numel))
      throw damaged(file, `the storage '${key}' has ${numel} elements instead of ${storage.numel}`);
    storage.byteOffset = source.position;
    storage.bigEndian = bigEndian;
    source.skip(storage.numel * ITEM_SIZE[storage.dtype]);
    placed.add(key);
  }
  for (const key of storages.keys()) if (!placed.has(key)) throw damaged(file, `the storage '${key}' is missing`);
}
