/** The folder for downloaded files that every project of a user shares. */
import os from 'node:os';
import path from 'node:path';

/** `LDM_CACHE`, else `$XDG_CACHE_HOME/node-ldm`, else `~/.cache/node-ldm`. The folder need not exist yet. */
export function cacheFolder(): string {
  if (process.env.LDM_CACHE) return path.resolve(process.env.LDM_CACHE);
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'node-ldm');
}
