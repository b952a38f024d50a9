import path from 'node:path';
import { readIndexArray } from '../../lib/models/npy';
import { npy } from '../helpers/npy';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { numbers } from '../helpers/tiny-autoencoder';

const folder = useTempFolder();
const read = (name: string) => readIndexArray(path.join(folder(), name));

test('reads a vector of int64', async () => {
  writeFiles(folder(), { 'used.npy': npy([5, 0, 2 ** 40]) });
  const t = await read('used.npy');
  expect(t.dtype).toBe('int64');
  expect(await numbers(t)).toEqual([5, 0, 2 ** 40]);
});

test.each([
  ['another format', Buffer.from('PK\x03\x04 something else'), 'another format'],
  ['floats', npy([1], { descr: '<f8' }), "'<f8'"],
  ['a matrix', npy([1, 2], { shape: '(1, 2)' }), 'one dimension'],
  ['a truncated file', npy([1, 2]).subarray(0, -3), '13 bytes for 2 elements'],
])('refuses %s', async (_what, content, message) => {
  writeFiles(folder(), { 'used.npy': content });
  await expect(read('used.npy')).rejects.toMatchObject({ code: 'ERR_DATA', message: expect.stringContaining(message) });
});

test('a missing file is an ERR_FILE', async () => {
  await expect(read('none.npy')).rejects.toMatchObject({ code: 'ERR_FILE' });
});
