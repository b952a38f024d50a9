// Step 2: lib/ becomes dist/: CommonJS by tsc, an ES module in front of it, and the page of `ldm serve`.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupFailure } from './failure.mjs';
import { step } from './log.mjs';
import { buildPage } from './page.mjs';
import { run } from './run.mjs';
import { isFresh, stampOf, writeStamp } from './stamp.mjs';

const INPUTS = [
  'lib',
  'web',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
  'scripts/setup/page.mjs',
  'scripts/setup/typescript.mjs',
];

/**
 * The ES module re-exports the CommonJS one, so that a class is the same object however the package was loaded. Static
 * export statements are generated because named imports need names that are known before anything runs.
 */
export function esmWrapper(names) {
  const exported = names.filter((name) => name !== 'default' && name !== '__esModule').sort();
  return [
    '// Generated from the exports of index.js: the same objects as ES module exports.',
    "import cjs from './index.js';",
    ...exported.map((name) => `export const ${name} = cjs.${name};`),
    '',
  ].join('\n');
}

/** Compiles where sources have changed. Returns whether anything was done. */
export async function buildTypeScript(root, { force = false } = {}) {
  // An installed package carries dist and no sources.
  if (!existsSync(join(root, 'lib/index.ts'))) return false;
  const stamp = stampOf(root, INPUTS);
  const stampFile = join(root, 'dist/.stamp');
  if (!force && isFresh(stampFile, stamp)) return false;
  step('TypeScript: compiling lib into dist');
  const fresh = join(root, `dist.new-${process.pid}`);
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const code = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], { cwd: root });
    if (code !== 0) {
      throw new SetupFailure({
        found: 'errors of the TypeScript compiler (above)',
        required: 'sources in lib that compile',
        remedy: 'correct them, or return to a released state of the project',
      });
    }
    // The names come from a look at the module; require from inside of dist.new finds node_modules of the project.
    const names = Object.keys(createRequire(join(fresh, 'index.js'))('./index.js'));
    writeFileSync(join(fresh, 'index.mjs'), esmWrapper(names));
    writeFileSync(join(fresh, 'index.d.mts'), "export * from './index.js';\n");
    await buildPage(root, join(fresh, 'serve/page'));
    writeStamp(join(fresh, '.stamp'), stamp);
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(fresh, join(root, 'dist'));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return true;
}
