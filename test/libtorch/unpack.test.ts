import fs from 'node:fs';
import path from 'node:path';
import { libtorchEntries, nvidiaLibraries, unpackZip } from '../../lib/libtorch/unpack';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { zipOf } from '../helpers/zip';

const folder = useTempFolder();

const unpack = async (files: Record<string, string>, filter: (name: string) => string | undefined) => {
  writeFiles(folder(), { 'a.zip': zipOf(files) });
  const target = path.join(folder(), 'out');
  const written = await unpackZip(path.join(folder(), 'a.zip'), target, filter);
  const names = fs.existsSync(target) ? (fs.readdirSync(target, { recursive: true }) as string[]) : [];
  return { written, files: names.filter((name) => fs.statSync(path.join(target, name)).isFile()).sort() };
};

test('keeps libraries, headers, share and the version of a wheel, nothing else', async () => {
  const wheel = {
    'torch/lib/libtorch.so': 'x',
    'torch/include/ATen/ATen.h': 'x',
    'torch/share/cmake/Torch/TorchConfig.cmake': 'x',
    'torch/version.py': 'x',
    'torch/nn/modules/conv.py': 'x',
    'torchgen/lib/x': 'x',
    'torch-2.13.0.dist-info/METADATA': 'x',
  };
  expect(await unpack(wheel, libtorchEntries('torch'))).toEqual({
    written: 4,
    files: ['include/ATen/ATen.h', 'lib/libtorch.so', 'share/cmake/Torch/TorchConfig.cmake', 'version.py'],
  });
});

test('many entries at once keep their contents', async () => {
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`torch/lib/${i}`, `content ${i}`]));
  expect((await unpack(files, libtorchEntries('torch'))).written).toBe(200);
  for (let i = 0; i < 200; i++) {
    expect(fs.readFileSync(path.join(folder(), 'out/lib', String(i)), 'utf8')).toBe(`content ${i}`);
  }
});

test("takes the libraries out of NVIDIA's wheels", async () => {
  const wheel = { 'nvidia/cu13/lib/libcudart.so.13': 'x', 'nvidia/cu13/include/cuda.h': 'x' };
  expect(await unpack(wheel, nvidiaLibraries)).toEqual({ written: 1, files: ['lib/libcudart.so.13'] });
});

test('an entry that would leave the folder is refused', async () => {
  const evil = { 'torch/lib/../../../evil': 'x' };
  await expect(unpack(evil, libtorchEntries('torch'))).rejects.toThrow(/invalid relative path/);
});

test('a truncated archive is refused', async () => {
  const zip = zipOf({ 'torch/lib/a': 'x' });
  writeFiles(folder(), { 'a.zip': zip.subarray(0, zip.length - 30) });
  await expect(unpackZip(path.join(folder(), 'a.zip'), folder(), () => undefined)).rejects.toThrow();
});
