/** Files that appear whole or not at all: written beside their place, synchronised, renamed. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';

/**
 * Lets `write` fill a new file and puts it in the place of `file`. When anything fails or `write` throws, what was there
 * before stays and nothing is left behind.
 */
export async function writeAtomically(
  file: string,
  write: (handle: fs.promises.FileHandle) => Promise<void>,
): Promise<void> {
  const target = path.resolve(file);
  const folder = path.dirname(target);
  const temporary = path.join(folder, `.${path.basename(target)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  let handle: fs.promises.FileHandle;
  try {
    handle = await fs.promises.open(temporary, 'wx');
  } catch (error) {
    throw unwritable(target, error);
  }
  try {
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.promises.rename(temporary, target);
  } catch (error) {
    await fs.promises.rm(temporary, { force: true });
    throw unwritable(target, error);
  }
  await syncFolder(folder);
}

/** The rename itself survives a power failure only when the folder is synchronised, which some file systems refuse. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await fs.promises.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // the file is in its place; its folder could not be synchronised
  }
}

function unwritable(file: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof LdmError || !syscall) return error;
  const reasons: Record<string, string> = {
    ENOENT: 'its folder does not exist',
    EACCES: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left on the device',
    EDQUOT: 'the disk quota is used up',
    EISDIR: 'there is a folder of that name',
  };
  return new LdmError('ERR_FILE', `Cannot write ${file}: ${reasons[code ?? ''] ?? message}`, { cause: error });
}
