// npm test: set-up where needed, then all tests. Arguments go to jest.
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';
import { handOver } from './setup/run.mjs';

await setupOrExit();
await handOver(process.execPath, [join(ROOT, 'node_modules/jest/bin/jest.js'), ...process.argv.slice(2)], {
  cwd: ROOT,
});
