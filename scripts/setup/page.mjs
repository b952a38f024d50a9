// The page of `ldm serve`: web/ becomes three files and an icon, with nothing that is loaded from elsewhere.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** @param out folder that is made */
export async function buildPage(root, out) {
  const { build } = createRequire(join(root, 'package.json'))('esbuild');
  await build({
    absWorkingDir: root,
    entryPoints: { app: 'web/main.tsx' },
    outdir: out,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'warning',
  });
  await build({
    absWorkingDir: root,
    entryPoints: { app: 'web/style.css' },
    outdir: out,
    minify: true,
    target: ['chrome111', 'firefox113', 'safari16.4'],
    logLevel: 'warning',
  });
  for (const name of ['index.html', 'icon.svg']) copyFileSync(join(root, 'web', name), join(out, name));
  const preact = readFileSync(join(root, 'node_modules/preact/LICENSE'), 'utf8');
  writeFileSync(join(out, 'licenses.txt'), `app.js contains Preact (https://preactjs.com):\n\n${preact}`);
}
