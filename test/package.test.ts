/** What npm would publish: packed, unpacked elsewhere, and used from there as ES module, as CommonJS and by TypeScript. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT, runNode } from './helpers/child';
import { writeFiles } from './helpers/temp-folder';

let folder: string;
let files: string[];

beforeAll(async () => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-package-')));
  // dist is there: `npm test` begins with set-up.
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename, files: packed }] = JSON.parse(
    execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }),
  );
  files = packed.map((file: { path: string }) => file.path);

  const installed = path.join(folder, 'node_modules/node-ldm');
  fs.mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', path.join(folder, filename), '--strip-components=1', '-C', installed]);
  // The package's dependencies and its compiled addon are those of this checkout.
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(installed, 'node_modules'));
  fs.symlinkSync(path.join(ROOT, 'build'), path.join(installed, 'build'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('it carries what use and compilation need', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'CMakeLists.txt',
      'LICENSE',
      'README.md',
      'bin/ldm.js',
      'dist/cli/main.js',
      'dist/index.d.mts',
      'dist/index.d.ts',
      'dist/index.js',
      'dist/index.mjs',
      'models/first_stage_models/kl-f8/config.yaml',
      'models/lpips/vgg_lpips_v0.1.pth',
      'native/bindings/addon.cpp',
      'native/preload/preload.c',
      'package.json',
      'scripts/setup.mjs',
    ]),
  );
});

test('it carries nothing else', () => {
  const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));
  expect([...folders].sort().filter((name) => name !== 'prebuilds')).toEqual([
    'bin',
    'dist',
    'docs',
    'models',
    'native',
    'scripts',
  ]);
  expect(files.filter((file) => /\.(test\.|stamp|log$)|\.node$/.test(file) && !file.startsWith('prebuilds/'))).toEqual(
    [],
  );
});

const USE = `
const value = await Tensor.from([1, 2, 3]).sum().item();
console.log(JSON.stringify({ value, same: LdmError === required.LdmError && Tensor === required.Tensor }));`;

test('as an ES module: works, says nothing on stderr, and has the classes of the CommonJS module', async () => {
  writeFiles(folder, {
    'esm.mjs': `import { createRequire } from 'node:module';
import { LdmError, Tensor } from 'node-ldm';
const required = createRequire(import.meta.url)('node-ldm');
${USE}`,
  });
  expect(await runNode(['esm.mjs'], { cwd: folder })).toEqual({
    code: 0,
    stdout: '{"value":6,"same":true}\n',
    stderr: '',
  });
});

test('as CommonJS: works, says nothing on stderr, and has the classes of the ES module', async () => {
  writeFiles(folder, {
    'cjs.cjs': `const { LdmError, Tensor } = require('node-ldm');
(async () => { const required = await import('node-ldm');
${USE} })();`,
  });
  expect(await runNode(['cjs.cjs'], { cwd: folder })).toEqual({
    code: 0,
    stdout: '{"value":6,"same":true}\n',
    stderr: '',
  });
});

test('the ES module exports every name of the CommonJS module', async () => {
  writeFiles(folder, {
    'names.mjs': `import { createRequire } from 'node:module';
import * as esm from 'node-ldm';
const cjs = createRequire(import.meta.url)('node-ldm');
console.log(JSON.stringify(Object.keys(cjs).filter((name) => esm[name] !== cjs[name])));`,
  });
  expect((await runNode(['names.mjs'], { cwd: folder })).stdout).toBe('[]\n');
});

test('TypeScript finds the types, from an ES module and from CommonJS', async () => {
  const source = `import { AutoencoderKL, LdmError, Tensor } from 'node-ldm';
export const shape: number[] = Tensor.zeros([1, 2]).shape;
export const code: string = new LdmError('ERR_DATA', 'x').code;
export const model: Promise<AutoencoderKL> = AutoencoderKL.create({} as never);
// @ts-expect-error there is no such export
import { NoSuchThing } from 'node-ldm';
`;
  writeFiles(folder, {
    'a.mts': source,
    'b.cts': source,
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        module: 'node16',
        target: 'es2022',
        lib: ['es2022', 'esnext.disposable'],
        strict: true,
        noEmit: true,
        types: ['node'],
        typeRoots: [path.join(ROOT, 'node_modules/@types')],
      },
      files: ['a.mts', 'b.cts'],
    }),
  });
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  expect(await runNode([tsc, '-p', folder], { cwd: folder })).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('the program runs from there', async () => {
  const { code, stdout } = await runNode([path.join(folder, 'node_modules/node-ldm/bin/ldm.js'), '--version']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
});
