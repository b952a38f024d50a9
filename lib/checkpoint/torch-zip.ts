/**
 * What torch.save writes since PyTorch 1.6 (torch/serialization.py, caffe2/serialize): a zip archive with one folder that
 * holds `data.pkl`, one record `data/<key>` per storage, and optionally `byteorder`.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BufferSource } from './byte-source';
import { damaged } from './errors';
import { ITEM_SIZE, type Mappings, type Storage } from './mapped-tensor';
import type { Pickled } from './pickle-machine';
import { readTorchPickle, type StorageRequest } from './torch-pickle';
import { readScriptWeights } from './torch-script';
import { type ZipEntry, ZipReader } from './zip-reader';

/** Longest data.pkl that is accepted; those of the largest models have a few MB. */
const LONGEST_PICKLE = 32 << 20;
/**
 * Bytes that deflated records may give: real weights do not shrink by half, but whole tensors of zeros (fresh layers,
 * optimizer states) shrink a thousandfold.
 */
const INFLATED_ALWAYS = 64 << 20;
const MOST_INFLATED = 16;

/** What a container yields: the pickled object, in which tensors are descriptions, and what was skipped. */
export interface TorchFile {
  root: Pickled;
  skipped: Set<string>;
}

export interface ZipOptions {
  /** Check the CRC-32 of every storage (reads the whole file once, in pieces). */
  verify: boolean;
  /** Accept TorchScript programs and take their weights. */
  torchScript: boolean;
}

/** Reads and checks a zip checkpoint. */
export async function readTorchZip(file: string, mappings: Mappings, options: ZipOptions): Promise<TorchFile> {
  const zip = ZipReader.open(file);
  try {
    const { folder, script } = findFolder(zip);
    if (script && !options.torchScript)
      throw damaged(zip.file, 'is a TorchScript program, not a checkpoint; save its state_dict() instead');
    const bigEndian = await isBigEndian(zip, folder);
    const used = new Map<string, { entry: ZipEntry; file: string; byteOffset: number }>();
    const find = (request: StorageRequest): Storage => {
      const name = `${folder}data/${request.key}`;
      const entry = zip.entries.get(name);
      if (!entry) throw damaged(file, `has no record '${name}', which a tensor needs`);
      const needed = request.numel * ITEM_SIZE[request.dtype];
      if (entry.size < needed || entry.size - needed >= ITEM_SIZE[request.dtype])
        throw damaged(file, `the record '${name}' has ${entry.size} bytes but its tensors say ${needed}`);
      if (!used.has(name)) used.set(name, { entry, file, byteOffset: zip.dataOffset(entry) });
      const place = used.get(name)!;
      return {
        dtype: request.dtype,
        numel: request.numel,
        location: () => ({ file: place.file, byteOffset: place.byteOffset, bigEndian }),
      };
    };
    const skipped = new Set<string>();
    const pickle = await zip.readAll(zip.entries.get(`${folder}data.pkl`)!, LONGEST_PICKLE);
    const read = script ? readScriptWeights : readTorchPickle;
    const root = read(new BufferSource(pickle), { file, mappings, find, skipped });
    const places = [...used.values()];
    await inflate(
      zip,
      places.filter((p) => p.entry.deflated),
      mappings,
    );
    if (options.verify) for (const { entry } of places) if (!entry.deflated) await zip.stream(entry, () => {});
    return { root, skipped };
  } finally {
    zip.close();
  }
}

function findFolder(zip: ZipReader): { folder: string; script: boolean } {
  const names = [...zip.entries.keys()];
  const pickles = names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  if (pickles.length === 0)
    throw damaged(zip.file, 'is a zip archive without data.pkl, so it was not written by torch.save');
  if (pickles.length > 1) throw damaged(zip.file, `holds several checkpoints: ${pickles.slice(0, 3).join(', ')}`);
  const folder = pickles[0].slice(0, -'data.pkl'.length);
  return { folder, script: zip.entries.has(`${folder}constants.pkl`) };
}

async function isBigEndian(zip: ZipReader, folder: string): Promise<boolean> {
  const entry = zip.entries.get(`${folder}byteorder`);
  if (!entry) return false;
  const order = (await zip.readAll(entry, 16)).toString('latin1').trim();
  if (order !== 'little' && order !== 'big')
    throw damaged(zip.file, `has the unknown byte order ${JSON.stringify(order)}`);
  return order === 'big';
}

/** Deflated records (archives that were packed again) go to a temporary file, which is mapped like any other. */
async function inflate(
  zip: ZipReader,
  places: { entry: ZipEntry; file: string; byteOffset: number }[],
  mappings: Mappings,
): Promise<void> {
  if (places.length === 0) return;
  const bytes = places.reduce((sum, { entry }) => sum + entry.size, 0);
  if (bytes > INFLATED_ALWAYS + MOST_INFLATED * zip.size)
    throw damaged(zip.file, `its ${zip.size} bytes are said to hold ${bytes} bytes of tensors: a decompression bomb`);
  const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'node-ldm-'));
  const temporary = path.join(folder, 'storages');
  try {
    const out = await fs.promises.open(temporary, 'wx');
    try {
      let at = 0;
      for (const place of places) {
        at = Math.ceil(at / 64) * 64;
        place.file = temporary;
        place.byteOffset = at;
        await zip.stream(place.entry, async (part) => {
          await out.write(part, 0, part.length, at);
          at += part.length;
        });
      }
    } finally {
      await out.close();
    }
    mappings.map(temporary); // stays readable after the file's name is gone
  } finally {
    await fs.promises.rm(folder, { recursive: true, force: true });
  }
}
