// npm start: set-up where needed, then the demo. Arguments go to `ldm demo`.
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';
import { handOver } from './setup/run.mjs';

await setupOrExit();
await handOver(process.execPath, [join(ROOT, 'bin/ldm.js'), 'demo', ...process.argv.slice(2)]);
