/** The order in which set-up looks for libtorch, each time in a process with an environment of its own. */
import fs from 'node:fs';
import path from 'node:path';
import { runWithLib } from '../helpers/child';
import { fakeLibtorch } from '../helpers/fake-libtorch';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';

const folder = useTempFolder();
const at = (...parts: string[]) => path.join(fs.realpathSync(folder()), ...parts);

const place = (dir: string, version: string, variant?: string) => writeFiles(at(dir), fakeLibtorch(version, variant));

/** A `python3` that imports a torch of this version from this folder; without arguments it has none. */
const fakePython = (torch?: { version: string; dir: string }) => {
  const answer = torch ? `echo '${JSON.stringify([torch.version, torch.dir])}'` : 'exit 1';
  writeFiles(at('bin'), { python3: `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${answer}\n` });
  fs.chmodSync(at('bin/python3'), 0o755);
};

/** What is found, the notes on the way, or the error. */
const find = async (env: Record<string, string> = {}, remembered?: string) => {
  const { stdout, stderr } = await runWithLib(
    `const { findLibtorch } = lib('libtorch/find'), { chooseVariant } = lib('libtorch/variants');
     const notes = [];
     try {
       const found = findLibtorch(${JSON.stringify(at('project'))}, () => chooseVariant(),
         { info: (line) => notes.push(line), progress() {} }, ${JSON.stringify(remembered)});
       console.log(JSON.stringify({ dir: found?.dir, source: found?.source, notes }));
     } catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })); }`,
    { LIBTORCH: undefined, LDM_LIBTORCH_VARIANT: undefined, PATH: at('bin'), ...env },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { dir?: string; source?: string; notes: string[]; code?: string; message: string };
};

beforeEach(() => {
  fakePython();
});

test('LIBTORCH comes before everything else', async () => {
  place('given', '2.11.0');
  place('project/libtorch', '2.13.0');
  expect(await find({ LIBTORCH: at('given') })).toMatchObject({ dir: at('given'), source: 'LIBTORCH' });
});

test('a LIBTORCH that cannot be used is an error, not a reason to look elsewhere', async () => {
  place('given', '2.9.0');
  place('project/libtorch', '2.13.0');
  expect(await find({ LIBTORCH: at('given') })).toMatchObject({
    code: 'ERR_SETUP',
    message: expect.stringMatching(/LIBTORCH.*2\.9\.0.*unset/),
  });
});

test('./libtorch comes before Python', async () => {
  place('project/libtorch', '2.13.0');
  place('torch', '2.13.0');
  fakePython({ version: '2.13.0+cpu', dir: at('torch') });
  expect(await find()).toMatchObject({ dir: at('project/libtorch'), source: './libtorch' });
});

test('an incomplete ./libtorch is an error that says to delete it', async () => {
  place('project/libtorch', '2.13.0');
  fs.rmSync(at('project/libtorch/lib/libtorch_cpu.so'));
  expect(await find()).toMatchObject({ code: 'ERR_SETUP', message: expect.stringMatching(/libtorch_cpu\.so.*Delete/) });
});

test('a supported PyTorch of Python is used', async () => {
  place('torch', '2.12.0');
  fakePython({ version: '2.12.0+cpu', dir: at('torch') });
  expect(await find()).toMatchObject({ dir: at('torch'), source: 'PyTorch of python3' });
});

test('an unsupported PyTorch of Python is passed over and mentioned', async () => {
  place('torch', '2.10.0');
  fakePython({ version: '2.10.0', dir: at('torch') });
  const found = await find();
  expect(found.dir).toBeUndefined();
  expect(found.notes).toEqual([expect.stringMatching(/2\.10\.0.*2\.11 to 2\.14/)]);
});

test('a PyTorch of another variant than the one asked for is passed over', async () => {
  place('torch', '2.13.0', 'cpu');
  fakePython({ version: '2.13.0+cpu', dir: at('torch') });
  const found = await find({ LDM_LIBTORCH_VARIANT: 'cu130' });
  expect(found.dir).toBeUndefined();
  expect(found.notes).toEqual([expect.stringContaining('LDM_LIBTORCH_VARIANT=cu130')]);
});

test('an unpacked ./libtorch of another variant than the one asked for is given up', async () => {
  place('project/libtorch', '2.13.0', 'cpu');
  writeFiles(at('project/libtorch'), { '.node-ldm.json': '{"variant":"cpu"}' });
  expect(await find({ LDM_LIBTORCH_VARIANT: 'cpu' })).toMatchObject({ source: './libtorch' });
  expect((await find({ LDM_LIBTORCH_VARIANT: 'cu126' })).dir).toBeUndefined();
});

test('what an earlier run found is used without starting Python, while it is there', async () => {
  place('torch', '2.13.0');
  expect(await find({}, at('torch'))).toMatchObject({ dir: at('torch') });
  expect((await find({}, at('gone'))).dir).toBeUndefined();
});

test('nothing anywhere', async () => {
  expect(await find({ PATH: at('empty') })).toEqual({ notes: [] });
});
