// npm run lint: style and types of TypeScript, format of C++. (The rules between the layers are a test.)
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup/index.mjs';

const bin = (name) => join(ROOT, 'node_modules/.bin', name);
const cpp = ['native', 'test/device'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .filter((file) => /\.(c|cpp|h)$/.test(file))
    .map((file) => join(folder, file)),
);

const checks = [
  ['biome', bin('biome'), ['check', '.']],
  ['tsc', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
  ['tsc web', bin('tsc'), ['-p', 'web/tsconfig.json']],
  ['clang-format', 'clang-format', ['--dry-run', '--Werror', ...cpp]],
];

let failed = false;
for (const [name, command, args] of checks) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  if (error) console.error(`${name}: ${error.message} (skipped)`);
  else if (status !== 0) failed = true;
  console.error(`${name}: ${error ? 'skipped' : status === 0 ? 'ok' : 'failed'}`);
}
process.exit(failed ? 1 : 0);
