import fs from 'node:fs';
import path from 'node:path';
import { inspectLibtorch, isSupportedVersion, isUsable, libtorchIdentity, minorOf } from '../../lib/libtorch/folder';
import { fakeLibtorch } from '../helpers/fake-libtorch';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';

const folder = useTempFolder();

const inspect = (files: Record<string, string>) => {
  writeFiles(folder(), files);
  return inspectLibtorch(folder());
};

test('reads version and variant of an archive', () => {
  expect(inspect(fakeLibtorch('2.12.1', 'cu126'))).toEqual({
    dir: fs.realpathSync(folder()),
    version: '2.12.1',
    variant: 'cu126',
  });
});

test.each([
  ["__version__ = '2.13.0+cu130'\n", 'cu130'],
  ["__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\n", 'cu130'],
  ["__version__ = '2.13.0'\ncuda: Optional[str] = None\n", 'cpu'],
])('reads the variant of a wheel: %j', (versionPy, variant) => {
  const { 'build-version': _, ...files } = fakeLibtorch('2.13.0');
  expect(inspect({ ...files, 'version.py': versionPy })).toMatchObject({ variant });
});

test('says what a folder lacks', () => {
  const { 'lib/libc10.so': _, ...withoutC10 } = fakeLibtorch('2.13.0');
  expect(inspect(withoutC10)).toEqual({ problem: expect.stringContaining('libc10.so') });
});

test('says that headers are missing', () => {
  const { 'include/ATen/ATen.h': _, ...withoutHeaders } = fakeLibtorch('2.13.0');
  expect(inspect(withoutHeaders)).toEqual({ problem: expect.stringContaining('no headers') });
});

test('refuses an unsupported version by name', () => {
  expect(inspect(fakeLibtorch('2.10.0'))).toEqual({ problem: expect.stringMatching(/2\.10\.0.*2\.11 to 2\.14/) });
});

test('a folder that does not exist', () => {
  expect(inspectLibtorch(path.join(folder(), 'none'))).toEqual({ problem: expect.stringContaining('does not exist') });
});

test.each([
  ['2.10.9', false],
  ['2.11.0', true],
  ['2.14.3', true],
  ['2.15.0', false],
  ['1.13.0', false],
  ['3.12.0', false],
])('supported: %s %s', (version, supported) => expect(isSupportedVersion(version)).toBe(supported));

test('the binary interface follows the minor version', () => expect(minorOf('2.13.1')).toBe('2.13'));

test('the identity changes with the library', () => {
  const before = inspect(fakeLibtorch('2.13.0'));
  const after = inspect({ 'lib/libtorch_cpu.so': 'another build' });
  if (!isUsable(before) || !isUsable(after)) throw new Error('both are usable');
  // The same folder, looked at before and after.
  fs.writeFileSync(path.join(folder(), 'lib/libtorch_cpu.so'), 'fake');
  const first = libtorchIdentity(before);
  expect(libtorchIdentity(before)).toBe(first);
  fs.writeFileSync(path.join(folder(), 'lib/libtorch_cpu.so'), 'another build');
  expect(libtorchIdentity(after)).not.toBe(first);
});
