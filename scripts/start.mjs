// npm start: set-up where needed, then the demo. Arguments go to `ldm demo`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';

await setupOrExit();
const { status, signal } = spawnSync(process.execPath, [join(ROOT, 'bin/ldm.js'), 'demo', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exit(signal ? 130 : status);
