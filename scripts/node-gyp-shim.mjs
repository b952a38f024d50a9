#!/usr/bin/env node
// Called by prebuildify as if it were node-gyp: `rebuild --target=... --arch=... --release`. The addon uses Node-API only,
// so the target version does not matter. LIBTORCH is set by scripts/prebuildify.mjs.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const common = [`--CDLIBTORCH=${process.env.LIBTORCH}`, '--CDLDM_PORTABLE=ON', '-l', 'warn', '-p', '2'];
for (const verb of ['configure', 'build']) {
  const args = [cmakeJs, verb, ...common, ...(arch ? ['--arch', arch] : [])];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
