/** Loading the addon, each time in a process of its own: what is chosen, and what is said when something is wrong. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, runWithLib } from './helpers/child';
import { useTempFolder, writeFiles } from './helpers/temp-folder';

const folder = useTempFolder();
const at = (...parts: string[]) => path.join(fs.realpathSync(folder()), ...parts);

/** Loads the addon; gives where from and libtorch's version, or the error. */
const load = async (env: Record<string, string> = {}) => {
  const { stdout, stderr } = await runWithLib(
    `const { loadAddon, addonOrigin } = lib('native-loader');
     try {
       const { torchVersion } = loadAddon().info();
       console.log(JSON.stringify({ ...addonOrigin(), torchVersion }));
     } catch (error) { console.log(JSON.stringify({ code: error.code, name: error.name, message: error.message })); }`,
    env,
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<'addon' | 'libtorch' | 'builtFor' | 'torchVersion' | 'code' | 'message', string>;
};

test('uses the libtorch of the project or the one that it was built with', async () => {
  const { addon, builtFor, torchVersion } = await load();
  expect(addon).toBe(path.join(ROOT, 'build/Release/ldm.node'));
  expect(torchVersion).toBe(builtFor);
});

test('LIBTORCH may lie anywhere', async () => {
  const { libtorch } = await load();
  fs.symlinkSync(libtorch, at('elsewhere'));
  expect(await load({ LIBTORCH: at('elsewhere') })).toMatchObject({ libtorch });
});

test('a LIBTORCH without libraries: found, required, remedy', async () => {
  const { code, message } = await load({ LIBTORCH: at('nothing') });
  expect(code).toBe('ERR_NATIVE_LOAD');
  expect(message).toMatch(/found: +no lib\/libtorch\.so in .*nothing \(LIBTORCH\)/);
  expect(message).toMatch(/required: libtorch 2\.\d+\.x/);
  expect(message).toMatch(/remedy: .*npm run setup/);
});

test('a damaged libtorch is named', async () => {
  writeFiles(at('damaged/lib'), { 'libtorch.so': 'not a library' });
  const { code, message } = await load({ LIBTORCH: at('damaged') });
  expect(code).toBe('ERR_NATIVE_LOAD');
  expect(message).toMatch(/found: +.*damaged\/lib\/libtorch\.so/);
});

test('a libtorch of another minor version is refused before the addon is touched', async () => {
  writeFiles(at('other'), {
    'fake.c': 'unsigned long aoti_torch_abi_version(void) { return 2UL << 56 | 10UL << 48; }',
  });
  fs.mkdirSync(at('other/lib'));
  execFileSync('cc', ['-shared', '-fPIC', '-o', at('other/lib/libtorch.so'), at('other/fake.c')]);
  const { code, message } = await load({ LIBTORCH: at('other') });
  expect(code).toBe('ERR_NATIVE_LOAD');
  expect(message).toMatch(/found: +libtorch 2\.10\.0 in .*other \(LIBTORCH\)/);
  expect(message).toMatch(/remedy: .*build for 2\.10/);
});

test('several worker threads load it, also after another has ended', async () => {
  const { stdout, stderr, code } = await runWithLib(
    `const { Worker } = require('node:worker_threads');
     const source = \`
       const { parentPort } = require('node:worker_threads');
       const { Tensor } = require(${JSON.stringify(path.join(ROOT, 'dist/index.js'))});
       Tensor.ones([2, 3]).sum().item().then((value) => parentPort.postMessage(value));\`;
     const run = () => new Promise((resolve, reject) => {
       const worker = new Worker(source, { eval: true });
       let value;
       worker.on('message', (v) => { value = v; });
       worker.on('error', reject);
       worker.on('exit', (exit) => resolve([value, exit]));
     });
     (async () => {
       const together = await Promise.all([run(), run(), run()]);
       console.log(JSON.stringify([...together, await run()]));
     })();`,
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    [6, 0],
    [6, 0],
    [6, 0],
    [6, 0],
  ]);
});
