// Step 4: the C++ addon, compiled by cmake-js against the libtorch that was found.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { SetupFailure } from './failure.mjs';
import { step } from './log.mjs';
import { outputOf, run } from './run.mjs';
import { isFresh, stampOf, writeStamp } from './stamp.mjs';

const INPUTS = ['native', 'CMakeLists.txt'];
const PRODUCTS = ['build/Release/ldm.node', 'build/Release/ldm_preload.so'];
const BUILD_PACKAGES = ['cmake-js', 'node-addon-api', 'node-api-headers'];
/** Memory that one compiler process may take at its peak. */
const BYTES_PER_JOB = 1.5e9;

const stampFile = (root) => join(root, 'build/.stamp');

/** `identity` tells one libtorch from another. */
export function addonStamp(root, identity) {
  const resolve = createRequire(join(root, 'package.json')).resolve;
  const versions = BUILD_PACKAGES.map(
    (name) => JSON.parse(readFileSync(resolve(`${name}/package.json`), 'utf8')).version,
  );
  return stampOf(root, INPUTS, [identity, process.arch, ...versions]);
}

/** Whether the addon is there and what it was compiled from is unchanged. */
export function isAddonFresh(root, stamp) {
  return PRODUCTS.every((file) => existsSync(join(root, file))) && isFresh(stampFile(root), stamp);
}

const parallelJobs = () => Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / BYTES_PER_JOB)));

/** Compiles what has changed, and makes sure that the result loads. */
export async function buildAddon(root, libtorch, stamp) {
  const jobs = parallelJobs();
  step(
    `addon: compiling for libtorch ${libtorch.version} in ${libtorch.dir} (${jobs} jobs; some minutes the first time)`,
  );
  const cmakeJs = createRequire(join(root, 'package.json')).resolve('cmake-js/bin/cmake-js');
  // OFF: the build folder remembers that `npm run prebuild` has said otherwise.
  const options = [`--CDLIBTORCH=${libtorch.dir}`, '--CDLDM_PORTABLE=OFF'];
  // The choice is made with a build folder: changing it later would compile everything again.
  if (!existsSync(join(root, 'build/CMakeCache.txt'))) options.push('--CDLDM_PRECOMPILE=ON');
  const common = ['-d', root, ...options, '-l', 'warn'];
  for (const verb of ['configure', 'build']) {
    const code = await run(process.execPath, [cmakeJs, verb, ...common, '-p', String(jobs)], { cwd: root });
    if (code !== 0) {
      throw new SetupFailure({
        found: `an error while compiling the addon (cmake-js ${verb}; its messages are above)`,
        required: `sources in native that compile with libtorch ${libtorch.version}`,
        remedy:
          'if the compiler was killed, memory ran out: close other programs and run this again, it continues; ' +
          'if CMake speaks of an old build folder, delete build',
      });
    }
  }
  const load = `console.log(require('${join(root, 'dist/native.js')}').native().info().torchVersion)`;
  if (outputOf(process.execPath, ['-e', load], { stdio: ['ignore', 'pipe', 'inherit'] }) === undefined) {
    throw new SetupFailure({
      found: 'the addon was compiled but does not load (the reason is above)',
      required: `an addon that runs with libtorch ${libtorch.version}`,
      remedy: 'delete build and run this again; if that does not help, report it with the lines above',
    });
  }
  writeStamp(stampFile(root), stamp);
}
