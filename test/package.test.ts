/**
 * What npm would publish, as a user meets it: installed into an empty project, without a compiler, set up by `ldm setup`, and
 * used from there as ES module, as CommonJS, by dynamic import, from worker threads and by TypeScript.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ChildResult, ROOT, runModule, runNode, runWithLib } from './helpers/child';
import { installPacked, type Project } from './helpers/packed';
import { writeFiles } from './helpers/temp-folder';

let project: Project;
/** The libtorch of this checkout's addon. */
let libtorch: { dir: string; version: string };
/** A machine with Node and a Python that has PyTorch, and without a compiler. */
let env: Record<string, string | undefined>;

const at = (...parts: string[]) => path.join(project.dir, ...parts);
const inProject = (...args: string[]): Promise<ChildResult> => runNode(args, { cwd: project.dir, env });
const ldm = (...args: string[]): Promise<ChildResult> => inProject(at('node_modules/node-ldm/bin/ldm.js'), ...args);
/** Runs a program of the project. */
const runFile = (name: string, source: string): Promise<ChildResult> => {
  writeFiles(project.dir, { [name]: source });
  return inProject(name);
};
const ANSWERS = { code: 0, stdout: '{"value":6,"same":true}\n', stderr: '' };

beforeAll(async () => {
  const { stdout } = await runWithLib(
    `const { loadAddon, addonOrigin } = lib('native-loader');
     const { torchVersion } = loadAddon().info();
     console.log(JSON.stringify({ dir: addonOrigin().libtorch, version: torchVersion.replace(/\\+.*/, '') }));`,
  );
  libtorch = JSON.parse(stdout);
  project = installPacked(libtorch.version);
  const answer = JSON.stringify([libtorch.version, libtorch.dir]);
  writeFiles(at('bin'), { python3: `#!/bin/sh\n[ "$1" = --version ] && exit 0\necho '${answer}'\n` });
  fs.chmodSync(at('bin/python3'), 0o755);
  env = {
    PATH: at('bin'),
    LDM_CACHE: at('cache'),
    LIBTORCH: undefined,
    LDM_LIBTORCH_VARIANT: undefined,
    CXX: undefined,
  };
});
afterAll(() => fs.rmSync(project.dir, { recursive: true, force: true }));

describe('the tarball', () => {
  test('carries what use and compilation need', () => {
    expect(project.files).toEqual(
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
        'dist/serve/page/app.css',
        'dist/serve/page/app.js',
        'dist/serve/page/index.html',
        'models/first_stage_models/kl-f8/config.yaml',
        'models/lpips/vgg_lpips_v0.1.pth',
        'models/clip/bpe_simple_vocab_16e6.txt.gz',
        'native/bindings/addon.cpp',
        'native/preload/preload.c',
        'package.json',
        'scripts/setup.mjs',
      ]),
    );
  });

  test('carries nothing else', () => {
    const folders = new Set(project.files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));
    const expected = ['bench', 'bin', 'dist', 'docs', 'models', 'native', 'scripts'];
    expect([...folders].sort().filter((name) => name !== 'prebuilds')).toEqual(expected);
    const outside = project.files.filter((file) => !file.startsWith('prebuilds/'));
    // Of the scripts those that `ldm setup --compile` needs; the others serve a clone.
    const scripts = project.files.filter((file) => file.startsWith('scripts/') && !file.startsWith('scripts/setup'));
    expect(scripts).toEqual([]);
    expect(outside.filter((file) => /\.(test\.|stamp|log$)|\.node$|\.vitepress|^docs\/.*\.png$/.test(file))).toEqual(
      [],
    );
  });

  test('has an addon that looks for libtorch nowhere by itself, and a stub that needs none', () => {
    const folder = at('node_modules/node-ldm/prebuilds', `${process.platform}-${process.arch}`);
    const dynamic = (name: string) => execFileSync('readelf', ['-d', path.join(folder, name)], { encoding: 'utf8' });
    expect(fs.readdirSync(folder).sort()).toEqual(['ldm_preload.so', 'node-ldm.node']);
    expect(dynamic('node-ldm.node')).toMatch(/NEEDED.*libtorch_cpu/);
    expect(dynamic('node-ldm.node')).not.toMatch(/RPATH|RUNPATH/);
    expect(dynamic('ldm_preload.so')).not.toMatch(/torch|c10|RPATH|RUNPATH/);
    expect(fs.readFileSync(path.join(folder, 'ldm_preload.so')).includes(libtorch.dir)).toBe(false);
  });

  test('is not larger than its bundled model explains', () => {
    const weights = project.files
      .filter((file) => file.startsWith('models/demo/'))
      .reduce((sum, file) => sum + fs.statSync(path.join(ROOT, file)).size, 0);
    const prebuilds = project.files.filter((file) => file.startsWith('prebuilds/')).length * 4e6;
    expect(project.size - weights - prebuilds).toBeLessThan(4e6);
  });
});

describe('set-up', () => {
  test('before it, the error says found, required and remedy', async () => {
    const { code, stderr } = await ldm('doctor');
    expect(code).toBe(1);
    const { stdout, code: exit } = await runFile(
      'before.cjs',
      "try { require('node-ldm').Tensor.zeros([1]); } catch (e) { console.log(e.code, e.message); }",
    );
    expect({ exit, stderr }).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('Something required is missing'),
    });
    expect(stdout).toContain('ERR_NATIVE_LOAD');
    expect(stdout).toMatch(/found: +no lib\/libtorch\.so in .*node-ldm\/libtorch/);
    expect(stdout).toMatch(new RegExp(`required: libtorch ${libtorch.version.replace(/\.\d+$/, '')}\\.x`));
    expect(stdout).toMatch(/remedy: +run `npx ldm setup`, or set LIBTORCH/);
  });

  test('finds PyTorch of Python, says so, and leaves a record outside of node_modules', async () => {
    const { code, stdout, stderr } = await ldm('setup');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `Ready: the addon runs on libtorch ${libtorch.version}.\n` });
    expect(stderr).toContain(`libtorch ${libtorch.version}: ${libtorch.dir} (PyTorch of python3)`);
    expect(fs.readdirSync(at('cache'))).toEqual(['libtorch-folders.json']);
    const again = await ldm('setup', '--json', '--quiet');
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(again.stdout)).toEqual({
      addon: at(`node_modules/node-ldm/prebuilds/${process.platform}-${process.arch}/node-ldm.node`),
      libtorch: libtorch.dir,
      builtFor: libtorch.version,
      torchVersion: expect.stringContaining(libtorch.version),
    });
  });

  test('a chosen folder that is gone later is named', async () => {
    const record = at('cache/libtorch-folders.json');
    const before = fs.readFileSync(record, 'utf8');
    fs.writeFileSync(record, before.replace(libtorch.dir, at('gone')));
    const { stdout } = await ldm('doctor', '--json', '--quiet');
    fs.writeFileSync(record, before);
    const addon = JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'addon');
    expect(addon.found).toContain(`${at('gone')} (chosen by ldm setup)`);
    expect(addon.remedy).toContain('npx ldm setup');
  });

  test('a LIBTORCH of another minor version is refused, and named with the remedy', async () => {
    writeFiles(at('other'), {
      'fake.c': 'unsigned long aoti_torch_abi_version(void) { return 2UL << 56 | 10UL << 48; }',
    });
    fs.mkdirSync(at('other/lib'));
    execFileSync('cc', ['-shared', '-fPIC', '-o', at('other/lib/libtorch.so'), at('other/fake.c')]);
    const { stdout } = await runNode(
      ['-e', "try { require('node-ldm').Tensor.zeros([1]); } catch (e) { console.log(e.message); }"],
      { cwd: project.dir, env: { ...env, LIBTORCH: at('other') } },
    );
    expect(stdout).toMatch(/found: +libtorch 2\.10\.0 in .*other \(LIBTORCH\)/);
    expect(stdout).toMatch(/remedy: .*ldm setup.*--compile/);
  });

  test('without a prebuilt addon it compiles, and says what that lacks', async () => {
    const prebuilds = at('node_modules/node-ldm/prebuilds');
    fs.renameSync(prebuilds, `${prebuilds}.away`);
    const { code, stderr } = await ldm('setup');
    fs.renameSync(`${prebuilds}.away`, prebuilds);
    expect(code).toBe(1);
    expect(stderr).toMatch(/found: +no C\+\+ compiler/);
    expect(stderr).toMatch(/remedy: .*apt-get install g\+\+/);
  });
});

describe('use: the right answer, nothing on stderr, exit code 0', () => {
  const USE = `
const value = await Tensor.from([1, 2, 3]).sum().item();
console.log(JSON.stringify({ value, same: LdmError === other.LdmError && Tensor === other.Tensor }));`;

  test('as an ES module, with the classes of the CommonJS module', async () => {
    const source = `import { createRequire } from 'node:module';
import { LdmError, Tensor } from 'node-ldm';
const other = createRequire(import.meta.url)('node-ldm');
${USE}`;
    expect(await runFile('esm.mjs', source)).toEqual(ANSWERS);
  });

  test('as CommonJS, with the classes of the dynamically imported ES module', async () => {
    const source = `const { LdmError, Tensor } = require('node-ldm');
(async () => { const other = await import('node-ldm');
${USE} })();`;
    expect(await runFile('cjs.cjs', source)).toEqual(ANSWERS);
  });

  test('the ES module exports every name of the CommonJS module', async () => {
    const source = `import { createRequire } from 'node:module';
import * as esm from 'node-ldm';
const cjs = createRequire(import.meta.url)('node-ldm');
console.log(JSON.stringify(Object.keys(cjs).filter((name) => esm[name] !== cjs[name])));`;
    expect(await runFile('names.mjs', source)).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });

  test('from two worker threads at once', async () => {
    const source = `import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { Tensor } from 'node-ldm';
if (isMainThread) {
  const run = () => new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url));
    let value;
    worker.on('message', (v) => { value = v; });
    worker.on('error', reject);
    worker.on('exit', (code) => resolve([value, code]));
  });
  console.log(JSON.stringify(await Promise.all([run(), run()])));
} else parentPort.postMessage(await Tensor.ones([2, 3]).sum().item());`;
    expect(await runFile('workers.mjs', source)).toEqual({ code: 0, stdout: '[[6,0],[6,0]]\n', stderr: '' });
  });

  test('the program', async () => {
    const { version } = JSON.parse(fs.readFileSync(at('node_modules/node-ldm/package.json'), 'utf8'));
    expect(await ldm('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const { code, stdout } = await ldm(
      'inspect',
      at('node_modules/node-ldm/models/first_stage_models/kl-f8/config.yaml'),
    );
    expect(code).toBe(0);
    expect(stdout).toContain('AutoencoderKL');
  });
});

describe('types', () => {
  test('TypeScript finds them, from an ES module and from CommonJS', async () => {
    const source = `import { AutoencoderKL, LdmError, Tensor } from 'node-ldm';
export const shape: readonly number[] = Tensor.zeros([1, 2]).shape;
export const code: string = new LdmError('ERR_DATA', 'x').code;
export const model: Promise<AutoencoderKL> = AutoencoderKL.create({} as never);
// @ts-expect-error there is no such export
import { NoSuchThing } from 'node-ldm';
`;
    const compilerOptions = {
      module: 'node16',
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
    };
    writeFiles(project.dir, {
      'a.mts': source,
      'b.cts': source,
      'tsconfig.json': JSON.stringify({ compilerOptions, files: ['a.mts', 'b.cts'] }),
    });
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    expect(await inProject(tsc, '-p', project.dir)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('say what they should (tsd)', async () => {
    writeFiles(at('consumer'), {
      'package.json': JSON.stringify({ name: 'consumer', version: '1.0.0', types: 'index.d.ts' }),
      'index.d.ts': "export * from 'node-ldm';\n",
      'index.test-d.ts': fs.readFileSync(path.join(ROOT, 'test/types/index.test-d.ts')),
    });
    // Only the test itself imports it.
    fs.symlinkSync(path.join(ROOT, 'node_modules/tsd'), at('node_modules/tsd'));
    const { stdout, stderr } = await runModule(
      `const { default: tsd } = await import(${JSON.stringify(pathToFileURL(path.join(ROOT, 'node_modules/tsd/dist/index.js')))});
       const found = await (tsd.default ?? tsd)({ cwd: ${JSON.stringify(at('consumer'))} });
       console.log(JSON.stringify(found.map((d) => [d.line, d.message])));`,
    );
    expect({ stderr, found: JSON.parse(stdout) }).toEqual({ stderr: '', found: [] });
  });

  test('resolve in every way (attw), and the package is well formed (publint)', async () => {
    const { stdout, stderr } = await runModule(
      `import fs from 'node:fs';
       import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
       import { publint } from 'publint';
       const tarball = fs.readFileSync(${JSON.stringify(project.tarball)});
       const { problems, types } = await checkPackage(createPackageFromTarballData(tarball));
       const { messages } = await publint({ pkgDir: ${JSON.stringify(project.installed)}, pack: false, level: 'warning' });
       console.log(JSON.stringify({ types, problems, messages }));`,
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ types: { kind: 'included' }, problems: [], messages: [] });
  });
});
