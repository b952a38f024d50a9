// npm run prebuildify: compiles the addon and puts it, with the stub that loads libtorch, into prebuilds/<platform>-<arch>.
// prebuildify drives node-gyp only; scripts/node-gyp-shim.mjs stands in its place and calls cmake-js.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';

await setupOrExit();
const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js');
const { status } = spawnSync(
  process.execPath,
  [prebuildify, '--napi', '--strip', '--node-gyp', join(ROOT, 'scripts/node-gyp-shim.mjs')],
  { cwd: ROOT, stdio: 'inherit' },
);
process.exit(status ?? 1);
