/** Getting libtorch: from a server on this machine and through a pip that is a shell script. */
import fs from 'node:fs';
import path from 'node:path';
import { runWithLib } from '../helpers/child';
import { fakeLibtorch } from '../helpers/fake-libtorch';
import { type FileServer, startFileServer } from '../helpers/file-server';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { zipOf } from '../helpers/zip';

const folder = useTempFolder();
const at = (...parts: string[]) => path.join(fs.realpathSync(folder()), ...parts);

let server: FileServer;
beforeEach(async () => {
  server = await startFileServer({});
});
afterEach(() => server.close());

const archive = (version: string, variant: string) =>
  zipOf(Object.fromEntries(Object.entries(fakeLibtorch(version, variant)).map(([k, v]) => [`libtorch/${k}`, v])));

const CUDA_PATH = '/libtorch/cu130/libtorch-shared-with-deps-2.13.0+cu130.zip';
const CPU_PATH = '/whl/cpu/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl';

/** A `python3` whose pip "downloads" the given wheel, or fails. */
const fakePip = (wheel?: { name: string; body: Buffer }) => {
  if (wheel) writeFiles(at('index'), { [wheel.name]: wheel.body });
  const script = wheel
    ? `#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> ${at('pip-calls')}
while [ "$1" != --dest ]; do shift; done
cp ${at('index')}/* "$2"`
    : '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "ERROR: No matching distribution found" >&2\nexit 1';
  writeFiles(at('bin'), { python3: script });
  fs.chmodSync(at('bin/python3'), 0o755);
};

const obtain = async (variant: string, env: Record<string, string> = {}) => {
  const { stdout, stderr } = await runWithLib(
    `const { obtainLibtorch } = lib('libtorch/obtain'), { chooseVariant } = lib('libtorch/variants');
     const notes = [];
     obtainLibtorch(${JSON.stringify(at('libtorch'))}, chooseVariant(), { info: (line) => notes.push(line), progress() {} })
       .then((found) => console.log(JSON.stringify({ found, notes })),
             (error) => console.log(JSON.stringify({ code: error.code, message: error.message, notes })));`,
    {
      LDM_LIBTORCH_VARIANT: variant,
      LDM_LIBTORCH_MIRROR: server.url,
      LDM_CACHE: at('cache'),
      PATH: `${at('bin')}:/usr/bin:/bin`,
      ...env,
    },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout) as {
    found?: { dir: string; version: string; variant: string };
    notes: string[];
    code?: string;
    message: string;
  };
};

test('downloads and unpacks; the checksum is recorded and required from then on', async () => {
  server.files.set(CUDA_PATH, { body: archive('2.13.0', 'cu130') });
  const first = await obtain('cu130');
  expect(first.found).toMatchObject({ dir: at('libtorch'), version: '2.13.0', variant: 'cu130' });
  expect(first.notes.join('\n')).toContain('recorded now and checked from now on');
  expect(fs.readdirSync(at('libtorch')).sort()).toEqual(['.node-ldm.json', 'build-version', 'include', 'lib']);

  expect((await obtain('cu130')).notes.join('\n')).toContain('as recorded');

  fakePip();
  server.files.set(CUDA_PATH, { body: archive('2.13.1', 'cu130') });
  const changed = await obtain('cu130');
  expect(changed.code).toBe('ERR_SETUP');
  expect(changed.message).toContain('is not the expected file');
  // What was there before is untouched, and nothing half-done lies about.
  expect(fs.readFileSync(at('libtorch/build-version'), 'utf8')).toBe('2.13.0+cu130\n');
  expect(fs.readdirSync(at()).sort()).toEqual(['bin', 'cache', 'libtorch']);
  expect(fs.readdirSync(at('cache'))).toEqual(['libtorch-sha256.json']);
});

const onX64 = process.arch === 'x64' ? test : test.skip;

onX64('a CPU wheel with another checksum than the pinned one is refused, from the site and from pip', async () => {
  const body = zipOf({ 'torch/lib/libtorch.so': 'something else' });
  server.files.set(CPU_PATH, { body });
  fakePip({ name: 'torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl', body });
  const result = await obtain('cpu');
  expect(result.notes.join('\n')).toContain('is not the expected file');
  expect(result.code).toBe('ERR_SETUP');
  expect(result.message).toMatch(
    /^torch-2\.13\.0-cp311-.*\.whl is refused: its SHA-256 is [0-9a-f]{64}.*LDM_LIBTORCH_VARIANT/,
  );
  expect(fs.existsSync(at('libtorch'))).toBe(false);
});

test('pip steps in when the site cannot be reached, with the libraries of the NVIDIA wheels', async () => {
  const files = Object.entries(fakeLibtorch('2.13.0', 'cu130')).map(([k, v]) => [`torch/${k}`, v]);
  fakePip({ name: 'torch-2.13.0-cp311-cp311-linux_x86_64.whl', body: zipOf(Object.fromEntries(files)) });
  writeFiles(at('index'), { 'nvidia_cuda_runtime-13.whl': zipOf({ 'nvidia/cu13/lib/libcudart.so.13': 'x' }) });
  await server.close();
  const result = await obtain('cu130');
  expect(result.found).toMatchObject({ version: '2.13.0' });
  expect(fs.existsSync(at('libtorch/lib/libcudart.so.13'))).toBe(true);
  const call = fs.readFileSync(at('pip-calls'), 'utf8');
  expect(call).toContain(
    '--only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_',
  );
  expect(call).toContain('torch==2.13.0');
  expect(call).not.toContain('--no-deps');
});

test('a wheel of another variant than the one asked for is refused', async () => {
  server.files.set(CUDA_PATH, { body: archive('2.13.0', 'cu126') });
  const result = await obtain('cu130');
  expect(result.message).toMatch(/refused: it is a cu126 build.*LDM_LIBTORCH_VARIANT=cu126/);
});

test('without site and pip the error says what was tried and what can be done', async () => {
  await server.close();
  fakePip();
  const { code, message } = await obtain('cu130');
  expect(code).toBe('ERR_SETUP');
  expect(message).toMatch(/download: .*ECONNREFUSED/);
  expect(message).toMatch(/pip: .*No matching distribution/);
  expect(message).toMatch(/LDM_LIBTORCH_MIRROR/);
  expect(message).toMatch(/LIBTORCH/);
});
