/**
 * The libtorch folders that `ldm setup` has chosen for prebuilt addons, one per minor version. The record lies in the cache
 * folder, so that it outlives node_modules and serves every project of a user.
 */
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../cache';
import { minorOf } from './folder';

const recordFile = (): string => path.join(cacheFolder(), 'libtorch-folders.json');

function readRecord(): Record<string, string> {
  try {
    const record: unknown = JSON.parse(fs.readFileSync(recordFile(), 'utf8'));
    return typeof record === 'object' && record !== null ? (record as Record<string, string>) : {};
  } catch {
    // Absent or damaged: set-up writes it anew.
    return {};
  }
}

/** Keeps `dir` as the libtorch for addons that were built for the minor version of `version`. */
export function rememberLibtorch(version: string, dir: string): void {
  fs.mkdirSync(cacheFolder(), { recursive: true });
  const fresh = `${recordFile()}.${process.pid}`;
  fs.writeFileSync(fresh, `${JSON.stringify({ ...readRecord(), [minorOf(version)]: dir }, null, 2)}\n`);
  fs.renameSync(fresh, recordFile());
}

/** The folder that {@link rememberLibtorch} has kept for the minor version of `version`; it need not exist any more. */
export function rememberedLibtorch(version: string): string | undefined {
  const dir = readRecord()[minorOf(version)];
  return typeof dir === 'string' ? dir : undefined;
}
