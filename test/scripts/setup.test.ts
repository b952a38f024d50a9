/** Set-up's own steps, each run as the ES modules that they are, in a process of their own. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, runModule, runNode } from '../helpers/child';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';

const folder = useTempFolder();

/** Runs code with the exports of a set-up module as `m`; what it returns comes back. */
const withModule = async (name: string, code: string, env: Record<string, string> = {}): Promise<unknown> => {
  const {
    stdout,
    stderr,
    code: exit,
  } = await runModule(
    `const m = await import(${JSON.stringify(path.join(ROOT, 'scripts/setup', name))});
     const root = ${JSON.stringify(folder())};
     console.log(JSON.stringify((await (async () => { ${code} })()) ?? null));`,
    env,
  );
  if (exit !== 0) throw new Error(stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1) as string);
};

describe('stamps', () => {
  const stamp = (extra = '') =>
    withModule('stamp.mjs', `return m.stampOf(root, ['src', 'one.txt', 'absent'], [${JSON.stringify(extra)}]);`);

  test('follow contents, names and extras, not times', async () => {
    writeFiles(folder(), { 'src/a.cpp': 'a', 'src/deep/b.h': 'b', 'one.txt': '1', other: 'x' });
    const first = await stamp();
    fs.utimesSync(path.join(folder(), 'src/a.cpp'), new Date(), new Date());
    writeFiles(folder(), { other: 'y' });
    expect(await stamp()).toBe(first);
    expect(await stamp('libtorch 2.12')).not.toBe(first);
    fs.renameSync(path.join(folder(), 'src/a.cpp'), path.join(folder(), 'src/c.cpp'));
    const renamed = await stamp();
    expect(renamed).not.toBe(first);
    writeFiles(folder(), { 'src/deep/b.h': 'changed' });
    expect(await stamp()).not.toBe(renamed);
  });
});

describe('npm packages', () => {
  const lock = (packages: Record<string, unknown>) => JSON.stringify({ packages: { '': {}, ...packages } });
  const A = { version: '1.0.0', integrity: 'sha512-a' };
  const stale = () => withModule('dependencies.mjs', 'return m.staleDependencies(root);');

  const place = (wanted: Record<string, unknown>, installed: Record<string, unknown>) => {
    const files = Object.keys(installed).map((name) => [`${name}/package.json`, '{}']);
    writeFiles(folder(), {
      'package-lock.json': lock(wanted),
      'node_modules/.package-lock.json': lock(installed),
      ...Object.fromEntries(files),
    });
  };

  test('are up to date when npm has installed what the lock says', async () => {
    place({ 'node_modules/a': A, 'node_modules/for-mac': { ...A, optional: true } }, { 'node_modules/a': A });
    expect(await stale()).toBeNull();
  });

  test('are stale when absent, when a version differs and when a folder was deleted', async () => {
    writeFiles(folder(), { 'package-lock.json': lock({}) });
    expect(await stale()).toBe('node_modules is absent');
    place({ 'node_modules/a': { ...A, version: '1.1.0' } }, { 'node_modules/a': A });
    expect(await stale()).toBe('node_modules/a is 1.0.0, package-lock.json has 1.1.0');
    place({ 'node_modules/a': A }, { 'node_modules/a': A });
    fs.rmSync(path.join(folder(), 'node_modules/a'), { recursive: true });
    expect(await stale()).toBe('node_modules/a is absent');
  });

  test('a failing npm is reported with what to check', async () => {
    writeFiles(folder(), { 'package-lock.json': lock({ 'node_modules/a': A }), 'npm.js': 'process.exit(7)' });
    const env = { npm_execpath: path.join(folder(), 'npm.js') };
    await expect(withModule('dependencies.mjs', 'return m.installDependencies(root);', env)).rejects.toThrow(
      /exit code 7[\s\S]*required:[\s\S]*remedy: +check the network/,
    );
  });

  test('runs npm ci without lifecycle scripts', async () => {
    writeFiles(folder(), {
      'package-lock.json': lock({ 'node_modules/a': A }),
      'npm.js': `require('fs').writeFileSync(${JSON.stringify(path.join(folder(), 'args'))}, process.argv.slice(2).join(' '))`,
    });
    const env = { npm_execpath: path.join(folder(), 'npm.js') };
    expect(await withModule('dependencies.mjs', 'return m.installDependencies(root);', env)).toBe(true);
    expect(fs.readFileSync(path.join(folder(), 'args'), 'utf8')).toMatch(/^ci --ignore-scripts /);
  });
});

describe('tools', () => {
  const check = (scripts: Record<string, string>, env: Record<string, string> = {}) => {
    const bin = path.join(folder(), 'bin');
    fs.mkdirSync(bin, { recursive: true });
    for (const [name, body] of Object.entries(scripts)) {
      fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
    return withModule('toolchain.mjs', 'return m.checkToolchain();', { CXX: '', ...env, PATH: bin });
  };
  const GCC = 'case $1 in -dumpversion) echo 12 ;; *) echo "g++ (Debian) 12.2.0" ;; esac';
  const CMAKE = 'echo "cmake version 3.25.1"';

  test('all there', async () => {
    await expect(check({ 'g++': GCC, cmake: CMAKE, make: 'exit 0' })).resolves.toBeNull();
  });

  test('no compiler: names the Debian package', async () => {
    await expect(check({ cmake: CMAKE, make: 'exit 0' })).rejects.toThrow(
      /found: +no C\+\+ compiler[\s\S]*C\+\+20[\s\S]*apt-get install g\+\+ cmake make/,
    );
  });

  test('a CXX that does not start is named', async () => {
    await expect(check({ cmake: CMAKE }, { CXX: 'no-such-compiler' })).rejects.toThrow(/CXX is no-such-compiler/);
  });

  test('an old compiler', async () => {
    await expect(check({ 'g++': GCC.replace('12', '9'), cmake: CMAKE })).rejects.toThrow(/found: +GCC 9/);
  });

  test('no CMake and an old CMake', async () => {
    await expect(check({ 'g++': GCC })).rejects.toThrow(/no CMake[\s\S]*apt-get install g\+\+ cmake make/);
    await expect(check({ 'g++': GCC, cmake: 'echo "cmake version 3.10.2"' })).rejects.toThrow(/found: +CMake 3\.10/);
  });

  test('no make', async () => {
    await expect(check({ 'g++': GCC, cmake: CMAKE })).rejects.toThrow(
      /neither make nor ninja[\s\S]*apt-get install g\+\+ cmake make/,
    );
  });
});

test('the ES module wrapper re-exports each name of the CommonJS module', async () => {
  const text = (await withModule(
    'typescript.mjs',
    "return m.esmWrapper(['Tensor', '__esModule', 'LdmError']);",
  )) as string;
  expect(text.split('\n').filter((line) => line.startsWith('export'))).toEqual([
    'export const LdmError = cjs.LdmError;',
    'export const Tensor = cjs.Tensor;',
  ]);
});

test('--help explains, and an unknown option is a usage error', async () => {
  const help = await runNode(['scripts/setup.mjs', '--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const word of ['LIBTORCH', 'LDM_LIBTORCH_VARIANT', 'LDM_LIBTORCH_MIRROR', 'apt-get install', '--force']) {
    expect(help.stdout).toContain(word);
  }
  const wrong = await runNode(['scripts/setup.mjs', '--frobnicate']);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("'--frobnicate'");
});
