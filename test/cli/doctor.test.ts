import { checkAddon, checkCuda, checkLibtorch } from '../../lib/doctor/native';
import { checkMemory, checkNode, checkPlatform } from '../../lib/doctor/system';
import { LdmError } from '../../lib/errors';
import type { NativeInfo } from '../../lib/native';
import { runLdm } from './run-ldm';

const info: NativeInfo = {
  torchVersion: '2.13.0',
  builtFor: '2.13.0',
  cuda: false,
  cudaDevices: [],
  threads: 2,
  targets: ['a'],
  ops: [],
};

test('a working installation: exit code 0 and every check in JSON', async () => {
  const { code, stdout, stderr } = await runLdm('doctor', '--json');
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string; status: string }[] };
  expect(code).toBe(ok ? 0 : 1);
  expect(ok).toBe(checks.every((check) => check.status !== 'failed'));
  expect(checks.map((check) => check.name)).toEqual(
    expect.arrayContaining(['Node', 'platform', 'libtorch', 'addon', 'CUDA', 'LPIPS weights', 'memory']),
  );
  expect(stderr).toMatch(ok ? /Everything required/ : /missing/);
});

test('Node and platform', () => {
  expect(checkNode('20.19.0').status).toBe('ok');
  expect(checkNode('22.1.0').status).toBe('ok');
  expect(checkNode('20.18.3')).toMatchObject({ status: 'failed', found: '20.18.3', remedy: expect.any(String) });
  expect(checkPlatform('linux', 'arm64').status).toBe('ok');
  expect(checkPlatform('win32', 'x64')).toMatchObject({ status: 'failed', found: 'win32-x64' });
  expect(checkMemory(1e9)).toMatchObject({ status: 'optional', found: '0.9 GiB' });
});

test('an addon that does not load is a finding with the loader’s remedy', () => {
  const error = new LdmError(
    'ERR_NATIVE_LOAD',
    'Cannot load the native addon.\n  found:    nothing\n  required: it\n  remedy:   run X',
  );
  expect(checkAddon({ error })).toEqual([
    expect.objectContaining({ name: 'addon', status: 'failed', found: 'nothing', remedy: 'run X' }),
  ]);
  expect(checkAddon({ error: new Error('boom') })[0]).toMatchObject({
    found: 'boom',
    remedy: expect.stringMatching(/setup/),
  });
});

test('an addon for another minor version of libtorch', () => {
  expect(checkAddon({ info }).map((check) => check.status)).toEqual(['ok', 'ok']);
  const [, versions] = checkAddon({ info: { ...info, torchVersion: '2.12.1' } });
  expect(versions).toMatchObject({ status: 'failed', found: 'addon built for libtorch 2.13.0, running on 2.12.1' });
});

test('CUDA is optional, an unused driver is a remark', () => {
  expect(checkCuda({ info }, undefined).status).toBe('ok');
  expect(checkCuda({ info }, '550.54')).toMatchObject({
    status: 'optional',
    remedy: expect.stringMatching(/LDM_LIBTORCH_VARIANT/),
  });
  const gpu = { ...info, cuda: true, cudaDevices: ['H200'] };
  expect(checkCuda({ info: gpu }, '550.54')).toMatchObject({ status: 'ok', found: 'H200' });
});

test('a libtorch folder that is not there', () => {
  const before = process.env.LIBTORCH;
  process.env.LIBTORCH = '/nowhere';
  try {
    expect(checkLibtorch(false)).toMatchObject({ status: 'failed', found: '/nowhere does not exist' });
    expect(checkLibtorch(true).status).toBe('optional');
  } finally {
    if (before === undefined) delete process.env.LIBTORCH;
    else process.env.LIBTORCH = before;
  }
});
