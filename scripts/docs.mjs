// npm run docs: the documentation site in docs/.vitepress/dist: generated pages, VitePress, TypeDoc, and a check of all links.
import { join } from 'node:path';
import { ROOT, setupOrExit } from './setup/index.mjs';
import { run } from './setup/run.mjs';

await setupOrExit();
const bin = (name) => join(ROOT, 'node_modules', name);
const steps = [
  ['generated pages', [bin('tsx/dist/cli.mjs'), 'scripts/docs/generate.ts']],
  ['pages', [bin('vitepress/bin/vitepress.js'), 'build', 'docs']],
  ['API', [bin('typedoc/bin/typedoc'), '--options', 'scripts/docs/typedoc.json']],
  ['links', [bin('tsx/dist/cli.mjs'), 'scripts/docs/check-links.ts']],
];
for (const [name, args] of steps) {
  const code = await run(process.execPath, args, { cwd: ROOT });
  if (code !== 0) {
    process.stderr.write(`The documentation could not be built: ${name} failed (above)\n`);
    process.exit(1);
  }
}
process.stderr.write('docs/.vitepress/dist holds the site; npx vitepress preview docs shows it\n');
