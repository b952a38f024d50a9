// npm run bench: set-up where needed, then `ldm bench` into bench/results, and its table into docs/performance.md. Arguments
// go to `ldm bench`; `npm run bench -- --table` only writes the table anew.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';

await setupOrExit();
const args = process.argv.slice(2);
if (!args.includes('--table')) {
  // Tiny networks give no figures to keep.
  const kept = !args.some((arg) => ['--list', '--quick', '--output', '-o', '--help'].includes(arg));
  const target = kept ? ['--output', join(ROOT, 'bench/results/')] : [];
  const command = [join(ROOT, 'bin/ldm.js'), 'bench', ...target, ...args];
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) process.exitCode = status ?? 1;
}
const { updateDocument } = createRequire(import.meta.url)(join(ROOT, 'dist/bench/document.js'));
updateDocument(ROOT);
