/** Every data set that an official config names opens with the config's options, reads, and tells what it lacks. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../../lib/config';
import { DataModuleFromConfig, disposeBatch } from '../../../lib/data';
import { tarFile } from '../tar-file';
import { writeTree } from './tree';

const MODELS = path.join(__dirname, '../../../models');
const before = { folder: process.cwd(), env: { ...process.env } };
const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-official-')));

beforeAll(async () => {
  await writeTree(root);
  const image = fs.readFileSync(path.join(root, 'data/ffhq/0.png'));
  for (const split of ['train', 'validation']) {
    fs.mkdirSync(path.join(root, 'data/previews', split), { recursive: true });
    fs.writeFileSync(path.join(root, 'data/previews', split, '0.tar'), tarFile({ '0.png': image, '0.txt': 'a face' }));
  }
  process.env.XDG_CACHE_HOME = path.join(root, 'cache');
});
afterAll(() => {
  process.chdir(before.folder);
  process.env = before.env;
  fs.rmSync(root, { recursive: true });
});

/** One config for each pair of data sets. */
const sections = new Map<string, unknown>();
const seen = new Set<string>();
for (const name of (fs.readdirSync(MODELS, { recursive: true }) as string[])
  .filter((n) => /^(configs|first|ldm).*\.yaml$/.test(n))
  .sort()) {
  const config = loadConfig(path.join(MODELS, name));
  const sets = JSON.stringify([config.get('data.params.train'), config.get('data.params.validation')]);
  if (config.get('data.params.train') === undefined || seen.has(sets)) continue;
  seen.add(sets);
  sections.set(name, config.get('data'));
}

test('there are data sections of many kinds', () => expect(sections.size).toBeGreaterThan(10));

test.each([...sections.keys()])('%s', async (name) => {
  process.chdir(root);
  const section = sections.get(name) as { params: Record<string, { params: object }> };
  // The test's images are no larger than a thumbnail.
  const params = { ...section.params, batch_size: 1, num_workers: 0 };
  const data = DataModuleFromConfig.fromConfig({ ...section, params });
  for (const split of ['train', 'validation'] as const) {
    const loader = data.loader(split, { prefetch: 0 })!;
    await loader.check();
    if (split === 'validation') continue;
    for await (const { batch } of loader.batches(0)) {
      const { crop_size, size, config } = section.params[split].params as Record<string, any>;
      const side = crop_size ?? size ?? config.size;
      expect(batch.image.shape).toEqual([1, side, side, 3]);
      if (name.includes('bsr_sr')) expect((batch.LR_image as typeof batch.image).shape).toEqual([1, 64, 64, 3]);
      if (name.includes('layout2img')) expect((batch.coordinates_bbox as typeof batch.image).shape).toEqual([1, 92]);
      if (name.includes('semantic'))
        expect((batch.segmentation as typeof batch.image).shape).toEqual([1, 512, 512, 182]);
      if (name.includes('text2img')) expect(batch.caption).toEqual(['a face']);
      if (name.includes('cin')) expect(batch.class_label?.shape).toEqual([1]);
      disposeBatch(batch);
      break;
    }
  }
  // Where there is nothing the error says where it looked and where to get the data.
  const empty = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-empty-'));
  process.chdir(empty);
  process.env.XDG_CACHE_HOME = empty;
  try {
    expect(() => DataModuleFromConfig.fromConfig(section)).toThrow(
      new RegExp(`${fs.realpathSync(empty)}.*(download|get|expected).*data_root.*LDM_DATA`, 'is'),
    );
  } finally {
    process.env.XDG_CACHE_HOME = path.join(root, 'cache');
    process.chdir(root);
    fs.rmSync(empty, { recursive: true });
  }
});

test('LDM_DATA and data_root stand for the folder data', () => {
  process.chdir(os.tmpdir());
  const section = (params: object) => ({
    target: 'main.DataModuleFromConfig',
    params: { batch_size: 1, train: { target: 'ldm.data.lsun.LSUNCatsTrain', params } },
  });
  const length = (params: object) => DataModuleFromConfig.fromConfig(section(params)).datasets.get('train')?.length;
  expect(length({ data_root: path.join(root, 'data') })).toBe(2);
  process.env.LDM_DATA = path.join(root, 'data');
  expect(length({})).toBe(2);
  expect(() => length({ data_root: '/nowhere' })).toThrow('/nowhere/lsun/cat_train.txt');
  delete process.env.LDM_DATA;
});
