/** What a folder with libtorch holds: completeness, version, identity. Reads files only, loads nothing. */
import fs from 'node:fs';
import path from 'node:path';
import { libraryName } from './library-names';

/** Lowest and highest minor version of PyTorch 2 whose headers these sources compile against. */
export const SUPPORTED_MINORS = { min: 11, max: 14 } as const;
/** The version that set-up gets when it finds none. */
export const PINNED_VERSION = '2.13.0';

/** A usable libtorch. */
export interface LibtorchFolder {
  /** Absolute, without symbolic links. */
  dir: string;
  /** Such as '2.13.0'. */
  version: string;
  /** 'cpu', 'cu126', 'cu130', ...; undefined where the folder does not tell. */
  variant?: string;
}

/** Why a folder is not usable, as one sentence for a message. */
export interface UnusableFolder {
  problem: string;
}

const VERSION_HEADERS = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h'];
const NEEDED_LIBRARIES = [libraryName('torch'), libraryName('torch_cpu'), libraryName('c10')];

/** '2.13' of '2.13.0': what the C++ binary interface of libtorch is stable within. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Whether these sources compile against `version`. */
export function isSupportedVersion(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  return major === 2 && minor >= SUPPORTED_MINORS.min && minor <= SUPPORTED_MINORS.max;
}

/** '2.11 to 2.14', for messages. */
export function supportedVersions(): string {
  return `2.${SUPPORTED_MINORS.min} to 2.${SUPPORTED_MINORS.max}`;
}

const readText = (file: string): string => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** The version that the headers in `dir` state, or undefined. */
export function headerVersion(dir: string): string | undefined {
  for (const header of VERSION_HEADERS) {
    const text = readText(path.join(dir, header));
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return undefined;
}

/** '2.13.0+cu130' carries its variant; archives keep it in build-version, wheels in version.py. */
function variantOf(dir: string): string | undefined {
  const text = readText(path.join(dir, 'build-version')) || readText(path.join(dir, 'version.py'));
  const local = /\d+\.\d+\.\d+\S*?\+(cpu|cu\d+)/.exec(text)?.[1];
  if (local) return local;
  const cuda = /^cuda.*=\s*'(\d+)\.(\d+)'/m.exec(text);
  if (cuda) return `cu${cuda[1]}${cuda[2]}`;
  return fs.existsSync(path.join(dir, 'lib/libtorch_cuda.so')) ? undefined : 'cpu';
}

/** Looks into `dir`: libraries and headers must be there and the version supported. */
export function inspectLibtorch(dir: string): LibtorchFolder | UnusableFolder {
  if (!fs.existsSync(dir)) return { problem: `${dir} does not exist` };
  const missing = NEEDED_LIBRARIES.filter((name) => !fs.existsSync(path.join(dir, 'lib', name)));
  if (missing.length > 0) return { problem: `${path.join(dir, 'lib')} has no ${missing.join(', ')}` };
  if (!fs.existsSync(path.join(dir, 'include/ATen/ATen.h'))) {
    return { problem: `${dir} has no headers (include/ATen/ATen.h)` };
  }
  const version = headerVersion(dir);
  if (!version) return { problem: `${dir} has no ${VERSION_HEADERS[0]}, so its version is unknown` };
  if (!isSupportedVersion(version)) {
    return { problem: `${dir} holds libtorch ${version}, but ${supportedVersions()} is required` };
  }
  return { dir: fs.realpathSync(dir), version, variant: variantOf(dir) };
}

/** Narrows the result of {@link inspectLibtorch}. */
export function isUsable(folder: LibtorchFolder | UnusableFolder): folder is LibtorchFolder {
  return 'version' in folder;
}

/** A string that changes when another libtorch is put in the folder's place. */
export function libtorchIdentity(folder: LibtorchFolder): string {
  const library = fs.statSync(path.join(folder.dir, 'lib', libraryName('torch_cpu')));
  return [folder.dir, folder.version, folder.variant ?? '', library.size, Math.trunc(library.mtimeMs)].join('|');
}
