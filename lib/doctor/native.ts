/** Checks of the native side: libtorch's folder, the addon, the versions of both, CUDA. */
import fs from 'node:fs';
import path from 'node:path';
import { inspectLibtorch, isUsable, minorOf, supportedVersions } from '../libtorch/folder';
import type { NativeInfo } from '../native';
import { addonOrigin, SETUP_COMMAND as SETUP } from '../native-loader';
import type { Check } from './check';

const PROJECT = path.join(__dirname, '..', '..');

/** The folder that the addon runs on, else the one that set-up would use; a missing one is no failure when the addon brings its own. */
export function checkLibtorch(addonWorks: boolean): Check {
  const inUse = addonOrigin()?.libtorch ?? path.join(PROJECT, 'libtorch');
  const dir = process.env.LIBTORCH ? path.resolve(process.env.LIBTORCH) : inUse;
  const required = `libtorch ${supportedVersions()}`;
  const folder = inspectLibtorch(dir);
  if (isUsable(folder)) {
    const variant = folder.variant ? ` (${folder.variant})` : '';
    return { name: 'libtorch', status: 'ok', found: `${folder.version}${variant} in ${folder.dir}`, required };
  }
  const remedy = process.env.LIBTORCH ? 'set LIBTORCH to an unpacked libtorch, or unset it' : SETUP;
  return { name: 'libtorch', status: addonWorks ? 'optional' : 'failed', found: folder.problem, required, remedy };
}

/** What the addon says of itself, or the error of loading it. */
export type AddonState = { info: NativeInfo } | { error: unknown };

/** Loads the addon; never throws. */
export async function probeAddon(): Promise<AddonState> {
  try {
    // Late and caught: this command has to work where the addon does not.
    const { native } = await import('../native');
    return { info: native().info() };
  } catch (error) {
    return { error };
  }
}

export function checkAddon(state: AddonState): Check[] {
  const required = 'a compiled addon that loads';
  if ('error' in state) {
    const message = state.error instanceof Error ? state.error.message : String(state.error);
    return [{ name: 'addon', status: 'failed', found: reason(message), required, remedy: remedyIn(message) ?? SETUP }];
  }
  const { torchVersion, builtFor, targets, threads } = state.info;
  const same = minorOf(torchVersion) === minorOf(builtFor);
  return [
    { name: 'addon', status: 'ok', found: `loaded; ${targets.length} targets, ${threads} threads`, required },
    {
      name: 'versions',
      status: same ? 'ok' : 'failed',
      found: `addon built for libtorch ${builtFor}, running on ${torchVersion}`,
      required: 'the same minor version',
      ...(same ? {} : { remedy: SETUP }),
    },
  ];
}

/** CUDA is never required; a driver that is not used is worth a remark. */
export function checkCuda(state: AddonState, driver = findDriver()): Check {
  const required = 'optional';
  if ('info' in state && state.info.cuda) {
    return { name: 'CUDA', status: 'ok', found: state.info.cudaDevices.join(', ') || 'available', required };
  }
  if (!driver)
    return {
      name: 'CUDA',
      status: 'ok',
      found: 'no NVIDIA driver: --device cpu works, --device cuda is an error (never the CPU instead)',
      required,
    };
  return {
    name: 'CUDA',
    status: 'optional',
    found: `an NVIDIA driver (${driver}), but this libtorch has no CUDA device`,
    required,
    remedy: 'get a CUDA build: set LDM_LIBTORCH_VARIANT to cu126 or cu130 and run `npx ldm setup`',
  };
}

function findDriver(): string | undefined {
  try {
    const text = fs.readFileSync('/proc/driver/nvidia/version', 'utf8');
    return /Kernel Module\s+(?:for \S+\s+)?([\d.]+)/.exec(text)?.[1] ?? 'unknown version';
  } catch {
    return undefined;
  }
}

/** The loader's messages have the lines found, required and remedy. */
function reason(message: string): string {
  return /^\s*found:\s*(.*)$/m.exec(message)?.[1] ?? message.split('\n')[0]!;
}

function remedyIn(message: string): string | undefined {
  return /^\s*remedy:\s*(.*)$/m.exec(message)?.[1];
}
