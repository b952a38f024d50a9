// Step 2 of set-up alone: dist from lib. For packing, and for platforms on which the addon does not compile.
import { ROOT } from './index.mjs';
import { buildTypeScript } from './typescript.mjs';

await buildTypeScript(ROOT);
