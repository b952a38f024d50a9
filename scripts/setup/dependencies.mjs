// Step 1: the npm packages of package-lock.json. No lifecycle script of a package runs, so none can download anything.
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure } from './failure.mjs';
import { detail, step } from './log.mjs';
import { run } from './run.mjs';

const readLock = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/**
 * Why node_modules does not hold what package-lock.json asks for, or undefined when it does. npm's own record of what it
 * has installed (node_modules/.package-lock.json) is compared entry by entry.
 */
export function staleDependencies(root) {
  if (!existsSync(join(root, 'node_modules'))) return 'node_modules is absent';
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return 'node_modules was not installed by npm';
  const installed = readLock(record);
  for (const [path, wanted] of Object.entries(readLock(join(root, 'package-lock.json')))) {
    if (path === '') continue;
    const present = installed[path];
    // Optional packages are there only on the platform that they are for.
    if (!present && (wanted.optional || wanted.peer)) continue;
    if (present?.version !== wanted.version || present?.integrity !== wanted.integrity) {
      return `${path} is ${present?.version ?? 'absent'}, package-lock.json has ${wanted.version}`;
    }
    if (!existsSync(join(root, path))) return `${path} is absent`;
  }
  return undefined;
}

const NPM_ARGUMENTS = [
  'ci',
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  // Without a network npm would otherwise wait for about a minute before it gives up.
  '--fetch-retry-mintimeout=500',
  '--fetch-retry-maxtimeout=3000',
];

/** Installs the npm packages where they are not what package-lock.json says. Returns whether anything was done. */
export async function installDependencies(root, { force = false } = {}) {
  const reason = staleDependencies(root);
  if (!reason && !force) return false;
  if (existsSync(join(root, 'node_modules')) && lstatSync(join(root, 'node_modules')).isSymbolicLink()) {
    detail(`node_modules is a symbolic link and left as it is${reason ? ` (though ${reason})` : ''}`);
    return false;
  }
  step(`npm packages: ${reason ?? 'asked for'}; running npm ${NPM_ARGUMENTS.slice(0, 2).join(' ')}`);
  // npm_execpath: the npm that runs this script, which need not be on the PATH.
  const [command, ...before] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const code = await run(command, [...before, ...NPM_ARGUMENTS], { cwd: root });
  if (code !== 0) {
    throw new SetupFailure({
      found: code === null ? 'npm cannot be started' : `npm ci ended with exit code ${code} (its messages are above)`,
      required: "the packages of package-lock.json from the npm registry, or from npm's cache",
      remedy: 'check the network (and `npm config get registry`, `npm config get proxy`), then run this command again',
    });
  }
  return true;
}
