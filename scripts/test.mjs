// npm test: set-up where needed, then all tests. Arguments go to jest.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';

await setupOrExit();
const { status } = spawnSync(
  process.execPath,
  [join(ROOT, 'node_modules/jest/bin/jest.js'), ...process.argv.slice(2)],
  {
    cwd: ROOT,
    stdio: 'inherit',
  },
);
process.exit(status ?? 1);
