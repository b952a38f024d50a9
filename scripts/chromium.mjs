// Finds the Chromium that the browser tests run in: `node scripts/chromium.mjs` prints its path. With --install it is installed
// where it is absent and that can be done without asking anybody: from Debian's packages, as root.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of the program in LDM_CHROMIUM, or of one on the PATH; undefined where there is none. */
export function findChromium() {
  if (process.env.LDM_CHROMIUM) return process.env.LDM_CHROMIUM;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/opt/google/chrome'];
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

/** Installs Debian's package. Returns whether Chromium is there now. */
export function installChromium() {
  if (findChromium()) return true;
  if (process.getuid?.() !== 0 || !isProgram('/usr/bin/apt-get')) return false;
  console.error('Chromium for the browser tests: installing the package chromium');
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], options);
  if (install().status !== 0) {
    spawnSync('apt-get', ['update'], options);
    install();
  }
  return findChromium() !== undefined;
}

export const WHAT_TO_DO =
  'The browser tests need Chromium or Chrome, and none was found. Install it (Debian and Ubuntu: sudo apt-get install chromium), ' +
  'or name the program in LDM_CHROMIUM.';

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--install')) installChromium();
  const found = findChromium();
  if (found) console.log(found);
  else {
    console.error(WHAT_TO_DO);
    process.exitCode = 1;
  }
}
