// npm run setup
import { parseArgs } from 'node:util';
import { setupOrExit } from './setup/index.mjs';

const HELP = `Usage: npm run setup [-- --force]

Makes a clone ready; afterwards every other script works. Each step is skipped when its result is up to date.

  1. npm packages   those of package-lock.json, without running any of their scripts
  2. TypeScript     lib -> dist (CommonJS, an ES module wrapper, types)
  3. libtorch       the first of:
                      the folder in LIBTORCH
                      ./libtorch
                      PyTorch 2.11 to 2.14 of python3 or python
                      a download of libtorch 2.13.0 from download.pytorch.org
                      the same through pip download
  4. addon          native -> build/Release/ldm.node, by CMake

Options:
  --force   repeats steps 1, 2 and 4
  --help    shows this

Environment:
  LIBTORCH              a libtorch folder (with lib and include) to use
  LDM_LIBTORCH_VARIANT  cpu, cu126, cu130 or cu132 (default: cpu, or CUDA where an NVIDIA driver is found)
  LDM_LIBTORCH_MIRROR   replaces https://download.pytorch.org (same paths below it)
  LDM_CACHE             folder for downloads (default: ~/.cache/node-ldm)
  CXX                   the C++ compiler

Required: Linux on x64 or arm64, Node.js 20.19, a C++20 compiler, CMake 3.18, make.
On Debian or Ubuntu: sudo apt-get install g++ cmake make
`;

let options;
try {
  options = parseArgs({ options: { help: { type: 'boolean' }, force: { type: 'boolean' } } }).values;
} catch (error) {
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(HELP);
} else {
  const worked = await setupOrExit({ force: options.force });
  process.stderr.write(
    worked ? 'Set-up is complete. Next: npm start, npm test or npx ldm --help\n' : 'Everything is up to date.\n',
  );
}
