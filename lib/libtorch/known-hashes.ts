/**
 * Checksums of archives: pinned ones are required; others are recorded when they are first used and required from then on.
 */
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../cache';
import { LdmError } from '../errors';

const recordFile = (): string => path.join(cacheFolder(), 'libtorch-sha256.json');

function readRecord(): Record<string, string> {
  try {
    return JSON.parse(fs.readFileSync(recordFile(), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new LdmError(
      'ERR_SETUP',
      `${recordFile()} cannot be read (${(error as Error).message}). Repair or delete it`,
    );
  }
}

/** The SHA-256 that `file` had when it was first used, or undefined. */
export function recordedHash(file: string): string | undefined {
  return readRecord()[file];
}

/**
 * Accepts or refuses an archive by its SHA-256.
 *
 * @returns 'pinned', 'recorded' (known from before) or 'new' (recorded now).
 */
export function checkHash(file: string, sha256: string, pinned: string | undefined): 'pinned' | 'recorded' | 'new' {
  if (pinned !== undefined) {
    if (sha256 === pinned) return 'pinned';
    throw new LdmError(
      'ERR_SETUP',
      `${file} is refused: its SHA-256 is ${sha256}, but the CPU build has ${pinned}. ` +
        'If a CUDA build is wanted, set LDM_LIBTORCH_VARIANT (cu126, cu130 or cu132); otherwise set LIBTORCH to a libtorch folder',
    );
  }
  const record = readRecord();
  const known = record[file];
  if (known === sha256) return 'recorded';
  if (known !== undefined) {
    throw new LdmError(
      'ERR_SETUP',
      `${file} is refused: its SHA-256 is ${sha256}, but it was ${known} when it was first used. ` +
        `If PyTorch really replaced the file, remove its line from ${recordFile()}`,
    );
  }
  fs.mkdirSync(cacheFolder(), { recursive: true });
  const fresh = `${recordFile()}.${process.pid}`;
  fs.writeFileSync(fresh, `${JSON.stringify({ ...record, [file]: sha256 }, null, 2)}\n`);
  fs.renameSync(fresh, recordFile());
  return 'new';
}
