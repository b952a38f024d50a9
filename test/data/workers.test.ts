/** Worker threads give what the caller's thread gives, and do not fall silent. The compiled worker in dist/ is used. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DataModuleFromConfig, disposeBatch } from '../../lib/data';
import { lsun } from '../../lib/data/preprocess/lsun';
import { DataRandom } from '../../lib/data/random';
import { WorkerPool } from '../../lib/data/workers/pool';
import { writeTree } from './sets/tree';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-workers-'));
beforeAll(() => writeTree(root));
afterAll(() => fs.rmSync(root, { recursive: true }));

const section = (num_workers: number, params: object = {}) => ({
  target: 'main.DataModuleFromConfig',
  params: {
    batch_size: 3,
    num_workers,
    train: {
      target: 'taming.data.imagenet.ImageNetTrain',
      params: { data_root: path.join(root, 'cache/autoencoders/data'), config: { size: 24 }, ...params },
    },
  },
});

async function pictures(data: DataModuleFromConfig): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const { batch } of data.trainLoader({ seed: 5 }).batches(2)) {
    batches.push([...((await batch.image.data()) as Float32Array)]);
    disposeBatch(batch);
  }
  return batches;
}

test('threads give the same batches as none', async () => {
  const none = DataModuleFromConfig.fromConfig(section(0));
  const two = DataModuleFromConfig.fromConfig(section(2));
  const expected = await pictures(none);
  expect(expected.map((b) => b.length)).toEqual([3 * 24 * 24 * 3, 24 * 24 * 3]);
  expect(await pictures(two)).toEqual(expected);
  await two.close();
});

test('many tasks at once all come back; errors come with their code; a closed pool says so', async () => {
  const pool = new WorkerPool(2);
  expect(pool.size).toBe(2);
  const args = {
    source: path.join(root, 'data/lsun/churches/a.jpg'),
    size: 8,
    interpolation: 'bicubic',
    flip_p: 0.5,
  } as const;
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, i) => pool.preprocess(lsun, args, new DataRandom(i % 5))),
  );
  expect(results).toHaveLength(40);
  expect(results[7].arrays).toEqual((await lsun.run(args, new DataRandom(2))).arrays);
  const missing = pool.preprocess(lsun, { ...args, source: '/nowhere.jpg' }, new DataRandom(0));
  await expect(missing).rejects.toMatchObject({ code: 'ERR_DATA', message: expect.stringContaining('/nowhere.jpg') });
  await pool.close();
  await expect(pool.preprocess(lsun, args, new DataRandom(0))).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});

test('a bad file is left out, or stops where that is asked for', async () => {
  const list = path.join(root, 'mixed.txt');
  fs.writeFileSync(path.join(root, 'broken.png'), 'no picture');
  fs.writeFileSync(list, ['data/ffhq/0.png', 'broken.png', 'data/ffhq/1.png'].join('\n'));
  const data = DataModuleFromConfig.fromConfig({
    target: 'main.DataModuleFromConfig',
    params: {
      batch_size: 2,
      num_workers: 1,
      predict: {
        target: 'taming.data.custom.CustomTest',
        params: { size: 8, test_images_list_file: list, data_root: root },
      },
    },
  });
  const loader = data.loader('predict', {})!;
  for await (const { batch, size } of loader.batches(0)) {
    expect(size).toBe(2);
    disposeBatch(batch);
  }
  expect(loader.skipped).toEqual([path.join(root, 'broken.png')]);
  const strict = data.loader('predict', { onBadFile: 'error' })!;
  await expect(strict.batches(0).next()).rejects.toMatchObject({
    code: 'ERR_DATA',
    message: expect.stringMatching(/broken\.png.*--on-bad-file skip/s),
  });
  await data.close();
});
