#!/usr/bin/env node
// Called by prebuildify as if it were node-gyp: `rebuild --target=... --arch=... --release`. The addon uses Node-API only,
// so the target version does not matter.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const { status } = spawnSync(process.execPath, [cmakeJs, 'build', '-p', '2', ...(arch ? ['--arch', arch] : [])], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
