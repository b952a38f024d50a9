/**
 * Finds and loads the compiled addon and the libtorch that it runs on.
 *
 * The addon comes from build/Release or prebuilds/<platform>-<arch> (node-gyp-build's rules). libtorch is, in this order,
 * the folder in the environment variable LIBTORCH, ./libtorch of the project, the one that `ldm setup` has chosen, or, for
 * an addon that was compiled here, the one that it was built with.
 * The C++ interface of libtorch changes from minor version to minor version, so both must agree; a stub that needs no
 * libtorch (native/preload) opens it and tells its version before the addon is touched.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from './errors';
import { minorOf } from './libtorch/folder';
import { rememberedLibtorch } from './libtorch/folders';
import { libraryName } from './libtorch/library-names';

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
    cause === undefined ? {} : { cause },
  );

/** The command that mends the installation: a clone compiles, an installed package looks for libtorch. */
export const SETUP_COMMAND = fs.existsSync(path.join(PROJECT, 'package-lock.json'))
  ? 'run `npm run setup` in the folder of the project'
  : 'run `npx ldm setup`';

/** The compiled addon. Throws `ERR_NATIVE_LOAD` where there is none for this platform. @internal */
export function findAddon(): string {
  const { resolve } = require('node-gyp-build') as { resolve(dir: string): string };
  try {
    return resolve(PROJECT);
  } catch (error) {
    const places = `${path.join(PROJECT, 'build/Release')} and ${path.join(PROJECT, 'prebuilds')}`;
    throw fail(
      `no addon for ${process.platform}-${process.arch} in ${places}`,
      'a compiled addon (ldm.node)',
      SETUP_COMMAND,
      error,
    );
  }
}

/** Whether the addon was compiled elsewhere: then a path of that machine means nothing here. @internal */
export function isPrebuilt(addon: string): boolean {
  return path.dirname(path.dirname(addon)) === path.join(PROJECT, 'prebuilds');
}

/** The stub beside the addon; it loads without libtorch. @internal */
export function loadPreload(addon: string): Preload {
  const file = path.join(path.dirname(addon), PRELOAD);
  const stub = { exports: {} };
  try {
    process.dlopen(stub, file);
  } catch (error) {
    throw fail(`${file}: ${(error as Error).message}`, `${PRELOAD} beside the addon`, SETUP_COMMAND, error);
  }
  return stub.exports as Preload;
}

/** The folders that are tried, each with the reason why. */
function libtorchCandidates(addon: string, preload: Preload): { dir: string; why: string }[] {
  // An explicit choice is never silently replaced by another one.
  if (process.env.LIBTORCH) return [{ dir: path.resolve(process.env.LIBTORCH), why: 'LIBTORCH' }];
  const own = { dir: path.join(PROJECT, 'libtorch'), why: "the package's own" };
  if (!isPrebuilt(addon)) return [own, { dir: preload.builtWith, why: 'the one that the addon was built with' }];
  const chosen = rememberedLibtorch(preload.builtFor);
  return chosen ? [own, { dir: chosen, why: 'chosen by ldm setup' }] : [own];
}

function openLibtorch(addon: string, preload: Preload): string {
  const candidates = libtorchCandidates(addon, preload);
  const library = path.join('lib', libraryName('torch'));
  const required = `libtorch ${minorOf(preload.builtFor)}.x, which the addon was built for`;
  const chosen = candidates.find(({ dir }) => fs.existsSync(path.join(dir, library)));
  if (!chosen) {
    const places = candidates.map(({ dir, why }) => `${dir} (${why})`).join(', ');
    throw fail(`no ${library} in ${places}`, required, `${SETUP_COMMAND}, or set LIBTORCH to a libtorch folder`);
  }
  let version: string | null;
  try {
    version = preload.open(path.join(chosen.dir, library));
  } catch (error) {
    throw fail(
      (error as Error).message,
      required,
      `${SETUP_COMMAND}, or set LIBTORCH to a complete libtorch folder`,
      error,
    );
  }
  if (version !== null && minorOf(version) !== minorOf(preload.builtFor)) {
    throw fail(
      `libtorch ${version} in ${chosen.dir} (${chosen.why})`,
      required,
      isPrebuilt(addon)
        ? `${SETUP_COMMAND} (with --compile to build for ${minorOf(version)}), or set LIBTORCH to a libtorch ${minorOf(preload.builtFor)}`
        : `${SETUP_COMMAND} to build for ${minorOf(version)}, or set LIBTORCH to a libtorch ${minorOf(preload.builtFor)}`,
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
  const libtorch = openLibtorch(addon, preload);
  let exports: unknown;
  try {
    exports = require(addon);
  } catch (error) {
    throw fail((error as Error).message, `an addon built for libtorch ${preload.builtFor}`, SETUP_COMMAND, error);
  }
  origin = { addon, libtorch, builtFor: preload.builtFor };
  return exports;
}
