/** Checks of what the machine brings: Node, memory, disk. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../cache';
import type { Check } from './check';

const GIB = 2 ** 30;
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

/** Lowest version of Node, as package.json's `engines` states it. */
const NODE = { major: 20, minor: 19 };

export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > NODE.major || (major === NODE.major && minor >= NODE.minor);
  return {
    name: 'Node',
    status: ok ? 'ok' : 'failed',
    found: version,
    required: `${NODE.major}.${NODE.minor} or newer`,
    ...(ok ? {} : { remedy: 'install a newer Node (https://nodejs.org)' }),
  };
}

export function checkPlatform(platform = process.platform, arch: string = process.arch): Check {
  const ok = platform === 'linux' && (arch === 'x64' || arch === 'arm64');
  return {
    name: 'platform',
    status: ok ? 'ok' : 'failed',
    found: `${platform}-${arch}`,
    required: 'linux-x64 or linux-arm64',
    ...(ok ? {} : { remedy: 'use Linux (WSL 2 on Windows)' }),
  };
}

/** The demo needs about 2 GiB, the official 256-pixel models about 6 GiB. */
export function checkMemory(bytes = os.totalmem()): Check {
  const ok = bytes >= 4 * GIB;
  return {
    name: 'memory',
    status: ok ? 'ok' : 'optional',
    found: gib(bytes),
    required: '4 GiB; large models need more',
    ...(ok ? {} : { remedy: 'use small models and batches, or a machine with more memory' }),
  };
}

/** Free space where checkpoints and pictures go, and where downloads are kept. */
export function checkDisk(): Check[] {
  return [freeSpace('disk (this folder)', process.cwd(), 2), freeSpace('disk (cache)', cacheFolder(), 1)];
}

function freeSpace(name: string, folder: string, gibibytes: number): Check {
  const required = `${gibibytes} GiB free`;
  try {
    const { bavail, bsize } = fs.statfsSync(existing(folder));
    const free = bavail * bsize;
    if (free >= gibibytes * GIB) return { name, status: 'ok', found: `${gib(free)} free in ${folder}`, required };
    const remedy = 'free some space, or set LDM_CACHE to a folder on another disk';
    return { name, status: 'optional', found: `${gib(free)} free in ${folder}`, required, remedy };
  } catch (error) {
    const remedy = `make ${folder} readable`;
    return { name, status: 'optional', found: (error as Error).message, required, remedy };
  }
}

/** The folder itself or the nearest one above it that exists. */
function existing(folder: string): string {
  return fs.existsSync(folder) || path.dirname(folder) === folder ? folder : existing(path.dirname(folder));
}
