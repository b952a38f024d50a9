/**
 * The safetensors format (huggingface/safetensors, format 0.x): u64 length, JSON header, data. A file is accepted under
 * the official library's rules: offsets cover the data without holes or overlaps, in any order of names.
 */
import fs from 'node:fs';
import { LdmError } from '../errors';
import { damaged, shown, unreadable } from './errors';
import { checkJsonShape } from './json-shape';
import {
  contiguousStrides,
  elementsOf,
  ITEM_SIZE,
  MappedTensor,
  type Mappings,
  MOST_DIMENSIONS,
} from './mapped-tensor';
import type { CheckpointDType } from './types';

/**
 * Longest header that is accepted. The official library reads up to 100 MB, but ten thousand tensors need one or two, and
 * JSON takes many times its size in memory.
 */
const LONGEST_HEADER = 16 << 20;

const DTYPES: Record<string, CheckpointDType> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
  C64: 'complex64',
};

/** Name of a dtype in the format. */
export function safetensorsDType(dtype: CheckpointDType): string {
  return Object.keys(DTYPES).find((name) => DTYPES[name] === dtype)!;
}

export interface SafetensorsHeader {
  /** In the order of the data. */
  tensors: Map<string, MappedTensor>;
  metadata: Map<string, string>;
}

/** Reads and checks the header. The data is mapped when a tensor is asked for. */
export function readSafetensorsHeader(file: string, mappings: Mappings): SafetensorsHeader {
  const { header, dataStart, dataBytes } = readHeader(file);
  const metadata = new Map<string, string>();
  const found: { name: string; begin: number; end: number; dtype: CheckpointDType; shape: number[] }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isRecord(entry)) throw damaged(file, 'its __metadata__ is not an object');
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== 'string')
          throw damaged(file, `its __metadata__ has something else than text under '${key}'`);
        metadata.set(key, value);
      }
      continue;
    }
    if (!isWellFormed(name)) throw damaged(file, `the name '${name}' is no Unicode text`);
    found.push({ name, ...checkEntry(file, name, entry) });
  }
  found.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  const tensors = new Map<string, MappedTensor>();
  for (const { name, begin, end, dtype, shape } of found) {
    if (begin !== at) throw damaged(file, `the data of '${name}' begins at ${begin} where ${at} is expected`);
    at = end;
    const location = { file, byteOffset: dataStart + begin, bigEndian: false };
    const storage = { dtype, numel: (end - begin) / ITEM_SIZE[dtype], location: () => location };
    tensors.set(name, new MappedTensor(storage, 0, shape, contiguousStrides(shape), mappings, file));
  }
  if (at !== dataBytes) throw damaged(file, `its header describes ${at} bytes of data but ${dataBytes} follow`);
  return { tensors, metadata };
}

function readHeader(file: string): { header: Record<string, unknown>; dataStart: number; dataBytes: number } {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    const size = fs.fstatSync(fd).size;
    const head = Buffer.alloc(8);
    if (fs.readSync(fd, head, 0, 8, 0) !== 8) throw damaged(file, 'is too short for a safetensors file');
    const length = head.readBigUInt64LE();
    if (length > BigInt(size - 8))
      throw damaged(file, `its header is said to have ${length} bytes but the file has ${size}`);
    if (length > BigInt(LONGEST_HEADER))
      throw damaged(file, `its header has ${length} bytes; at most ${LONGEST_HEADER} are accepted`);
    const text = Buffer.alloc(Number(length));
    if (fs.readSync(fd, text, 0, text.length, 8) !== text.length) throw damaged(file, 'ends within its header');
    return { header: parseHeader(file, text), dataStart: 8 + text.length, dataBytes: size - 8 - text.length };
  } finally {
    fs.closeSync(fd);
  }
}

function parseHeader(file: string, text: Buffer): Record<string, unknown> {
  let header: unknown;
  try {
    const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
    const wrong = checkJsonShape(json);
    if (wrong !== undefined) throw damaged(file, `its header ${wrong}`);
    header = JSON.parse(json);
  } catch (error) {
    throw error instanceof LdmError ? error : damaged(file, 'its header is not JSON');
  }
  if (!isRecord(header)) throw damaged(file, 'its header is not a JSON object');
  return header;
}

function checkEntry(file: string, name: string, entry: unknown) {
  if (!isRecord(entry)) throw damaged(file, `the entry of '${name}' is not an object`);
  const dtype = typeof entry.dtype === 'string' && Object.hasOwn(DTYPES, entry.dtype) ? DTYPES[entry.dtype] : undefined;
  if (!dtype)
    throw damaged(file, `'${name}' has the dtype ${shown(entry.dtype)}; known are ${Object.keys(DTYPES).join(', ')}`);
  const { shape, data_offsets: offsets } = entry;
  if (!isCounts(shape) || shape.length > MOST_DIMENSIONS) throw damaged(file, `'${name}' has an invalid shape`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[1] < offsets[0])
    throw damaged(file, `'${name}' has invalid data_offsets`);
  const [begin, end] = offsets;
  const elements = elementsOf(shape);
  if (elements === undefined || elements * ITEM_SIZE[dtype] !== end - begin)
    throw damaged(file, `'${name}' of shape [${shape}] and dtype ${dtype} cannot have ${end - begin} bytes`);
  return { begin, end, dtype, shape };
}

/** Whether a text has no half of a surrogate pair, which no file could hold. */
const isWellFormed = (text: string) => Buffer.from(text).toString() === text;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
