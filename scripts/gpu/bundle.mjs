// npm run gpu-bundle [-- LIBTORCH]: what a machine with PyTorch, but without Node and network, needs beside a copy of the checkout to
// run the golden cases and the bench on its GPU (run.sh): Node, the npm packages at run time, the compiled TypeScript, and the addon.
// That is the checkout's own, or with LIBTORCH, headers and libraries of the other machine's minor version, one compiled for it.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ROOT, setupOrExit } from '../setup/index.mjs';
import { run } from '../setup/run.mjs';

const OUT = join(ROOT, 'build/gpu');
const STAGE = join(OUT, 'stage');
const ARCHIVE = join(OUT, 'bundle.tar.xz');

/** What runs TypeScript sources: the golden runner is not part of the package. */
const RUNNER = ['tsx'];
/** Packages that only compile. */
const COMPILING = ['cmake-js', 'node-addon-api', 'node-api-headers'];

await setupOrExit();
const addon = process.argv[2] === undefined ? join(ROOT, 'build/Release') : await compiledFor(resolve(process.argv[2]));

rmSync(STAGE, { recursive: true, force: true });
const prebuilt = join(STAGE, 'prebuilds', `${process.platform}-${process.arch}`);
mkdirSync(prebuilt, { recursive: true });
cpSync(join(addon, 'ldm.node'), join(prebuilt, 'node.napi.node'));
cpSync(join(addon, 'ldm_preload.so'), join(prebuilt, 'ldm_preload.so'));
cpSync(join(ROOT, 'dist'), join(STAGE, 'dist'), { recursive: true });
cpSync(process.execPath, join(STAGE, 'bin/node'));
for (const folder of packages()) cpSync(join(ROOT, folder), join(STAGE, folder), { recursive: true });
await execute('tar', ['-C', STAGE, '-cf', ARCHIVE, '-I', 'xz -T0', '.']);
process.stderr.write(
  `${ARCHIVE}: ${(statSync(ARCHIVE).size / 2 ** 20).toFixed(0)} MiB. Next, beside a GPU: sh scripts/gpu/run.sh\n`,
);

/** The folder of an addon that was compiled for another libtorch than the checkout's. */
async function compiledFor(libtorch) {
  if (!existsSync(join(libtorch, 'include/ATen/ATen.h')))
    fail(`${libtorch} is no libtorch: it has no include/ATen/ATen.h`);
  const folder = join(OUT, 'addon');
  const options = [`-DLIBTORCH=${libtorch}`, '-DLDM_PORTABLE=ON', '-DLDM_PRECOMPILE=ON', '-DCMAKE_BUILD_TYPE=Release'];
  await execute('cmake', ['-S', ROOT, '-B', folder, ...options]);
  await execute('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);
  return folder;
}

/** Folders of the packages that run the library and the golden runner, as package-lock.json has them. */
function packages() {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const direct = Object.keys(lock[''].dependencies).filter((name) => !COMPILING.includes(name));
  const found = new Set();
  const visit = (name, from) => {
    // Node's rule: the nearest node_modules upwards.
    for (let at = from; ; at = dirname(at)) {
      const folder = join(at, 'node_modules', name);
      if (lock[folder]) {
        if (found.has(folder) || !existsSync(join(ROOT, folder))) return;
        found.add(folder);
        const { dependencies, optionalDependencies, peerDependencies } = lock[folder];
        for (const next of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
          visit(next, folder);
        return;
      }
      if (at === '.') return;
    }
  };
  for (const name of [...direct, ...RUNNER]) visit(name, '.');
  return [...found];
}

async function execute(command, args) {
  if ((await run(command, args, { cwd: ROOT })) !== 0) fail(`${command} failed (the reason is above)`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
