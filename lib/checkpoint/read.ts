/** Reading of checkpoint files: the format is told by the content, never by the name. */
import fs from 'node:fs';
import path from 'node:path';
import { damaged, unreadable } from './errors';
import { Mappings } from './mapped-tensor';
import { OpenedCheckpoint } from './opened';
import { readSafetensorsHeader } from './safetensors';
import { looksLikePickle, readTorchLegacy } from './torch-legacy';
import { readTorchZip } from './torch-zip';
import type { Checkpoint } from './types';

export interface ReadOptions {
  /**
   * Check the CRC-32 of every tensor of a zip file. It reads the file once, in pieces, beside the event loop: about a
   * second per GB from a warm disk. Default true.
   */
  verify?: boolean;
  /**
   * Take the weights of a TorchScript program, as OpenAI's CLIP comes; its code is not looked at. Default false: such a
   * file is refused.
   */
  torchScript?: boolean;
}

/**
 * Opens a checkpoint: Lightning's or plain torch.save files (zip or legacy), or safetensors. Nothing in the file is
 * executed, classes that are not known are skipped, and the data is memory-mapped: it costs memory only while it is used.
 *
 * @throws LdmError ERR_FILE when the file cannot be read, ERR_CHECKPOINT when it is damaged, hostile or of another format
 */
export async function readCheckpoint(file: string, options: ReadOptions = {}): Promise<Checkpoint> {
  const full = path.resolve(file);
  const { head, size } = await readHead(full);
  const mappings = new Mappings(size);
  try {
    return await open(full, head, mappings, options);
  } catch (error) {
    mappings.dispose();
    throw error;
  }
}

async function open(file: string, head: Buffer, mappings: Mappings, options: ReadOptions): Promise<Checkpoint> {
  if (head.length === 0) throw damaged(file, 'is empty');
  if (head.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'))) {
    const { verify = true, torchScript = false } = options;
    const { root, skipped } = await readTorchZip(file, mappings, { verify, torchScript });
    return new OpenedCheckpoint(file, 'torch-zip', root, mappings, [...skipped]);
  }
  if (isSafetensors(head)) {
    const { tensors, metadata } = readSafetensorsHeader(file, mappings);
    return new OpenedCheckpoint(file, 'safetensors', tensors, mappings, [], metadata);
  }
  if (looksLikePickle(head)) {
    const { root, skipped } = readTorchLegacy(file, mappings);
    return new OpenedCheckpoint(file, 'torch-legacy', root, mappings, [...skipped]);
  }
  throw damaged(file, describeStranger(head));
}

/** Eight bytes of length, then JSON. */
function isSafetensors(head: Buffer): boolean {
  return head.length > 8 && (head[8] === 0x7b || head[8] === 0x5b);
}

function describeStranger(head: Buffer): string {
  const text = head.toString('latin1').trimStart().toLowerCase();
  if (text.startsWith('version https://git-lfs'))
    return 'is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`';
  if (text.startsWith('<!doctype') || text.startsWith('<html') || text.startsWith('<?xml'))
    return 'is a web page, not a checkpoint: the download failed; open its address in a browser to see why';
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return 'is a tar archive; unpack it first';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'is gzip-compressed; unpack it first';
  return 'is neither a checkpoint of torch.save nor a safetensors file';
}

async function readHead(file: string): Promise<{ head: Buffer; size: number }> {
  let handle: fs.promises.FileHandle | undefined;
  try {
    handle = await fs.promises.open(file, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return { head: buffer.subarray(0, bytesRead), size: (await handle.stat()).size };
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    await handle?.close();
  }
}
