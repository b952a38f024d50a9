// Set-up as a whole: each step looks first whether there is anything to do.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonStamp, buildAddon, isAddonFresh } from './addon.mjs';
import { installDependencies } from './dependencies.mjs';
import { SetupFailure } from './failure.mjs';
import { step } from './log.mjs';
import { checkToolchain } from './toolchain.mjs';
import { buildTypeScript } from './typescript.mjs';

/** The folder of the project (or of the installed package). */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

const NODE_MINIMUM = [20, 19];
const memoryFile = (root) => join(root, '.cache/setup.json');

function checkPlatform() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1])) {
    throw new SetupFailure({
      found: `Node.js ${process.versions.node}`,
      required: `Node.js ${NODE_MINIMUM.join('.')} or later`,
      remedy: 'install a current Node.js (https://nodejs.org/download, or a version manager)',
    });
  }
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new SetupFailure({
      found: `${process.platform}-${process.arch}`,
      required: 'Linux on x64 or arm64',
      remedy: 'run it in a Linux virtual machine or container (on Windows: WSL 2)',
    });
  }
}

/** The folder of a Python's PyTorch that an earlier run has found. */
function remembered(root) {
  try {
    return JSON.parse(readFileSync(memoryFile(root), 'utf8')).libtorch;
  } catch {
    return undefined;
  }
}

function remember(root, libtorch) {
  mkdirSync(dirname(memoryFile(root)), { recursive: true });
  writeFileSync(memoryFile(root), `${JSON.stringify({ libtorch })}\n`);
}

/** Steps 3 and 4. What they need of the library itself is compiled by now. */
async function setUpNative(root, force) {
  const require = createRequire(join(root, 'dist/index.js'));
  const { chooseVariant } = require('./libtorch/variants.js');
  const { findLibtorch } = require('./libtorch/find.js');
  const { obtainLibtorch } = require('./libtorch/obtain.js');
  const { libtorchIdentity } = require('./libtorch/folder.js');
  const { Output } = require('./cli/output.js');
  const { Transfers } = require('./cli/transfers.js');

  let choice;
  const variant = () => (choice ??= chooseVariant());
  const transfers = new Transfers(new Output());
  const reporter = {
    info: (line) => transfers.note(`  ${line}`),
    progress: (label, ...state) => transfers.update(`  ${label}`, ...state),
  };

  const found = findLibtorch(root, variant, reporter, remembered(root));
  if (!force && found && isAddonFresh(root, addonStamp(root, libtorchIdentity(found)))) return false;

  // Before hundreds of megabytes are fetched.
  checkToolchain();
  if (!found) step('libtorch: found neither LIBTORCH, ./libtorch nor an importable Python torch');
  const libtorch = found ?? (await obtainLibtorch(join(root, 'libtorch'), variant(), reporter));
  transfers.end();
  step(`libtorch ${libtorch.version}: ${libtorch.dir} (${libtorch.source})`);
  remember(root, libtorch.dir);
  await buildAddon(root, libtorch, addonStamp(root, libtorchIdentity(libtorch)));
  return true;
}

/**
 * Brings the project into the state in which every command works. Repeats nothing that is done already.
 *
 * @returns whether anything had to be done.
 */
export async function setup({ root = ROOT, force = false } = {}) {
  checkPlatform();
  const isCheckout = existsSync(join(root, 'package-lock.json'));
  const installed = isCheckout && (await installDependencies(root, { force }));
  const compiled = await buildTypeScript(root, { force });
  const built = await setUpNative(root, force);
  return installed || compiled || built;
}

/** Runs `setup`; a failure is printed for people and ends the process with exit code 1. */
export async function setupOrExit(options) {
  try {
    return await setup(options);
  } catch (error) {
    if (!(error instanceof SetupFailure) && error?.name !== 'LdmError') throw error;
    process.stderr.write(`\nSet-up failed.\n${error.message}\n`);
    process.exit(1);
  }
}
