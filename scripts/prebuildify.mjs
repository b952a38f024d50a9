// npm run prebuildify: puts the addon, with the stub that loads libtorch, into prebuilds/<platform>-<arch>. prebuildify drives
// node-gyp only; scripts/node-gyp-shim.mjs stands in its place and calls cmake-js.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';
import { handOver } from './setup/run.mjs';

await setupOrExit();
const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js');
const shim = join(ROOT, 'scripts/node-gyp-shim.mjs');
await handOver(process.execPath, [prebuildify, '--napi', '--strip', '--node-gyp', shim], { cwd: ROOT });
