import { archiveOf, chooseVariant, variantForDriver } from '../../lib/libtorch/variants';

test.each([
  [undefined, 'cpu'],
  ['470.82.01', 'cpu'],
  ['550.54.15', 'cu126'],
  ['580.65.06', 'cu130'],
  ['590.10', 'cu130'],
])('driver %s: %s', (driver, variant) => {
  expect(variantForDriver(driver)).toMatchObject({ variant, explicit: false });
});

test('LDM_LIBTORCH_VARIANT decides', () => {
  expect(chooseVariant({ LDM_LIBTORCH_VARIANT: 'cu132' })).toMatchObject({ variant: 'cu132', explicit: true });
});

test('an unknown variant is refused with the list of known ones', () => {
  expect(() => chooseVariant({ LDM_LIBTORCH_VARIANT: 'cu12' })).toThrow(/'cu12'.*cpu, cu126, cu130, cu132/);
});

test('the CPU wheel is pinned on x64', () => {
  expect(archiveOf('cpu', {}, 'x64')).toEqual({
    file: 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl',
    url: 'https://download.pytorch.org/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl',
    root: 'torch',
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('on arm64 it is another wheel', () => {
  expect(archiveOf('cpu', {}, 'arm64')).toMatchObject({ file: expect.stringContaining('aarch64'), sha256: undefined });
  expect(() => archiveOf('cu130', {}, 'arm64')).toThrow(/LIBTORCH/);
});

test('a mirror replaces the site and keeps the paths', () => {
  expect(archiveOf('cu130', { LDM_LIBTORCH_MIRROR: 'http://mirror/pytorch/' }, 'x64').url).toBe(
    'http://mirror/pytorch/libtorch/cu130/libtorch-shared-with-deps-2.13.0%2Bcu130.zip',
  );
});
