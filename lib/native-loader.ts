/**
 * Finds and loads the compiled addon and the libtorch that it runs on.
 *
 * The addon comes from build/Release or prebuilds/<platform>-<arch> (node-gyp-build's rules). libtorch is, in this order,
 * the folder in the environment variable LIBTORCH, ./libtorch of the project, or the one that the addon was built with.
 * The C++ interface of libtorch changes from minor version to minor version, so both must agree; a stub that needs no
 * libtorch (native/preload) opens it and tells its version before the addon is touched.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from './errors';
import { minorOf } from './libtorch/folder';

/** native/preload/preload.c */
interface Preload {
  /** Version of libtorch that the addon was compiled against. */
  readonly builtFor: string;
  /** Its folder at that time. */
  readonly builtWith: string;
  /** Opens libtorch.so for the whole process; its version, or null where it does not tell. */
  open(file: string): string | null;
}

/** What the addon was loaded from, for `ldm doctor`. */
export interface AddonOrigin {
  addon: string;
  libtorch: string;
  builtFor: string;
}

const PROJECT = path.join(__dirname, '..');
const PRELOAD = 'ldm_preload.so';

const fail = (found: string, required: string, remedy: string, cause?: unknown): LdmError =>
  new LdmError(
    'ERR_NATIVE_LOAD',
    `Cannot load the native addon.\n  found:    ${found}\n  required: ${required}\n  remedy:   ${remedy}`,
    {
      cause,
    },
  );

const REBUILD = 'run `npm run setup` in the folder of the project';

function findAddon(): string {
  const { resolve } = require('node-gyp-build') as { resolve(dir: string): string };
  try {
    return resolve(PROJECT);
  } catch (error) {
    const places = `${path.join(PROJECT, 'build/Release')} and ${path.join(PROJECT, 'prebuilds')}`;
    throw fail(
      `no addon for ${process.platform}-${process.arch} in ${places}`,
      'a compiled addon (ldm.node)',
      REBUILD,
      error,
    );
  }
}

function loadPreload(addon: string): Preload {
  const file = path.join(path.dirname(addon), PRELOAD);
  const stub = { exports: {} };
  try {
    process.dlopen(stub, file);
  } catch (error) {
    throw fail(`${file}: ${(error as Error).message}`, `${PRELOAD} beside the addon`, REBUILD, error);
  }
  return stub.exports as Preload;
}

/** The folders that are tried, each with the reason why. */
function libtorchCandidates(builtWith: string): { dir: string; why: string }[] {
  // An explicit choice is never silently replaced by another one.
  if (process.env.LIBTORCH) return [{ dir: path.resolve(process.env.LIBTORCH), why: 'LIBTORCH' }];
  return [
    { dir: path.join(PROJECT, 'libtorch'), why: "the project's own" },
    { dir: builtWith, why: 'the one that the addon was built with' },
  ];
}

function openLibtorch(preload: Preload): string {
  const candidates = libtorchCandidates(preload.builtWith);
  const required = `libtorch ${minorOf(preload.builtFor)}.x, which the addon was built for`;
  const chosen = candidates.find(({ dir }) => fs.existsSync(path.join(dir, 'lib/libtorch.so')));
  if (!chosen) {
    const places = candidates.map(({ dir, why }) => `${dir} (${why})`).join(', ');
    throw fail(`no lib/libtorch.so in ${places}`, required, `${REBUILD}, or set LIBTORCH to a libtorch folder`);
  }
  let version: string | null;
  try {
    version = preload.open(path.join(chosen.dir, 'lib/libtorch.so'));
  } catch (error) {
    throw fail((error as Error).message, required, `${REBUILD}, or set LIBTORCH to a complete libtorch folder`, error);
  }
  if (version !== null && minorOf(version) !== minorOf(preload.builtFor)) {
    throw fail(
      `libtorch ${version} in ${chosen.dir} (${chosen.why})`,
      required,
      `${REBUILD} to build for ${minorOf(version)}, or set LIBTORCH to a libtorch ${minorOf(preload.builtFor)}`,
    );
  }
  return fs.realpathSync(chosen.dir);
}

let origin: AddonOrigin | undefined;

/** Where the addon and libtorch were loaded from; undefined before {@link loadAddon}. @internal */
export function addonOrigin(): AddonOrigin | undefined {
  return origin;
}

/** Loads libtorch and the compiled addon. Throws `ERR_NATIVE_LOAD` with what was found and what to do. @internal */
export function loadAddon(): unknown {
  const addon = findAddon();
  const preload = loadPreload(addon);
  const libtorch = openLibtorch(preload);
  let exports: unknown;
  try {
    exports = require(addon);
  } catch (error) {
    throw fail((error as Error).message, `an addon built for libtorch ${preload.builtFor}`, REBUILD, error);
  }
  origin = { addon, libtorch, builtFor: preload.builtFor };
  return exports;
}
