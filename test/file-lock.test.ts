import fs from 'node:fs';
import path from 'node:path';
import { withFileLock } from '../lib/file-lock';
import { runNode } from './helpers/child';
import { useTempFolder } from './helpers/temp-folder';

const folder = useTempFolder();

test('work under one lock never overlaps', async () => {
  const lock = path.join(folder(), 'lock');
  let inside = 0;
  const work = () =>
    withFileLock(lock, async () => {
      expect(++inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
    });
  await Promise.all([work(), work(), work()]);
  expect(fs.readdirSync(folder())).toEqual([]);
});

test('a lock is released when the work fails', async () => {
  const lock = path.join(folder(), 'lock');
  await expect(withFileLock(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(withFileLock(lock, async () => 'yes')).resolves.toBe('yes');
});

test('tells whom it waits for', async () => {
  const lock = path.join(folder(), 'lock');
  const waited: number[] = [];
  let release = () => {};
  const first = withFileLock(lock, () => new Promise<void>((resolve) => (release = resolve)));
  const second = withFileLock(
    lock,
    async () => {},
    (pid) => {
      waited.push(pid);
      release();
    },
  );
  await Promise.all([first, second]);
  expect(waited).toEqual([process.pid]);
});

test('a lock of a process that is gone is taken over', async () => {
  const lock = path.join(folder(), 'lock');
  const { stdout } = await runNode(['-p', 'process.pid']);
  fs.writeFileSync(lock, stdout.trim());
  await expect(withFileLock(lock, async () => 'mine')).resolves.toBe('mine');
});
