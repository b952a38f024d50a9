// npm run prebuild: puts the addon, with the stub that loads libtorch, into prebuilds/<platform>-<arch>. prebuildify drives
// node-gyp only; scripts/node-gyp-shim.mjs stands in its place and calls cmake-js.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';
import { outputOf, run } from './setup/run.mjs';

await setupOrExit();
const require = createRequire(import.meta.url);

// The libtorch that set-up has compiled for, as the loader finds it.
const ASK = `const l = require('${join(ROOT, 'dist/native-loader.js')}'); l.loadAddon(); console.log(JSON.stringify(l.addonOrigin()))`;
const origin = (env) =>
  JSON.parse(outputOf(process.execPath, ['-e', ASK], { env, stdio: ['ignore', 'pipe', 'inherit'] }) ?? 'null');
const { libtorch } = origin(process.env);

const folder = join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`);
rmSync(folder, { recursive: true, force: true });
const prebuildify = require.resolve('prebuildify/bin.js');
const shim = join(ROOT, 'scripts/node-gyp-shim.mjs');
const env = { ...process.env, LIBTORCH: libtorch };
const status = await run(process.execPath, [prebuildify, '--napi', '--strip', '--node-gyp', shim], { cwd: ROOT, env });

// prebuildify has moved the addon away from build/Release: this loads the prebuilt one, and it alone.
const prebuilt = status === 0 ? origin({ ...env, PREBUILDS_ONLY: '1' }) : undefined;
// The clone gets its own addon back in any case: this compiles the stub again and links.
await setupOrExit();

if (status !== 0) {
  process.stderr.write('The addon could not be prebuilt (the reason is above)\n');
  process.exit(1);
}
if (!prebuilt?.addon.startsWith(folder)) {
  process.stderr.write(`The prebuilt addon in ${folder} does not load (${JSON.stringify(prebuilt)})\n`);
  process.exit(1);
}
process.stderr.write(`${prebuilt.addon}: for libtorch ${prebuilt.builtFor}; npm pack puts it into the package\n`);
