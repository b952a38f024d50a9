import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { loadConfig, resolveProject } from '../../lib/config';
import { PROPOSED_SIZES, propose } from '../../lib/init/propose';
import { surveyFolder } from '../../lib/init/survey';
import { newestMatch } from '../../lib/training/newest-checkpoint';
import { TestFolder } from '../data/folders';
import { temporary } from '../training/tiny';
import { runLdm } from './run-ldm';

let images: TestFolder;
let folder: string;
beforeAll(async () => {
  images = new TestFolder();
  folder = temporary();
  for (let i = 0; i < 6; i++) {
    const pixels = Buffer.from(Array.from({ length: 48 * 40 * 3 }, (_, k) => ((k * 7 + i * 50) ^ (k >> 4)) & 0xff));
    await images.image(`classes/${i % 2 ? 'cats' : 'dogs'}/${i}.png`, { width: 48, height: 40 }, pixels);
    await images.image(`plain/${i}.png`, { width: 300, height: 280 }, 'teal');
    await images.image(`texts/train/${i}.png`, { width: 140, height: 150 }, 'navy');
  }
  await images.image('texts/val/0.png', { width: 140, height: 150 }, 'navy');
  for (const part of ['train', 'val'])
    images.file(
      `texts/${part}/captions.txt`,
      Array.from({ length: 6 }, (_, i) => `${i}.png\ta blue square`).join('\n'),
    );
});
afterAll(() => {
  images.remove();
  fs.rmSync(folder, { recursive: true });
});

const init = async (name: string, ...args: string[]) => {
  const { code, stdout, stderr } = await runLdm('init', path.join(images.root, name), '--json', ...args);
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
  return JSON.parse(stdout);
};

test('its configs train at once, one after the other, and the model draws', async () => {
  const logs = path.join(folder, 'logs');
  const result = await init('classes', '--out', folder, '-l', logs, '--for', 'cpu', '--batch', '2');
  expect(result).toMatchObject({
    survey: { images: 6, classes: ['cats', 'dogs'], captions: false, shorterSide: { smallest: 40 } },
    proposal: { size: 32, factor: 4, diffusion: { condition: 'class' } },
    autoencoder: path.join(folder, 'classes-autoencoder.yaml'),
  });
  const early = await runLdm('train', '-b', result.diffusion, '-t', '-l', logs, '--max-steps', '2');
  expect([early.code, early.stderr]).toEqual([1, expect.stringMatching(/Train that stage first/)]);
  const train = async (config: string) => {
    const { code, stdout, stderr } = await runLdm(
      'train',
      '-b',
      config,
      '-t',
      '-l',
      logs,
      '--max-steps',
      '2',
      '--json',
    );
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
    return JSON.parse(stdout);
  };
  const first = await train(result.autoencoder);
  const second = await train(result.diffusion);
  expect([first.global_step, second.global_step]).toEqual([2, 2]);
  const [project] = fs.readdirSync(path.join(second.logdir, 'configs')).filter((name) => /project/.test(name));
  expect(fs.readFileSync(path.join(second.logdir, 'configs', project), 'utf8')).toContain(first.checkpoint);
  const drawn = await runLdm(
    'sample',
    second.logdir,
    '--class',
    'cats',
    '-n',
    '1',
    '--steps',
    '2',
    '--scale',
    '3',
    '--json',
    '--out',
    folder,
  );
  expect(JSON.parse(drawn.stdout).images).toHaveLength(1);
});

test.each([
  ['plain', 'cpu', { size: 64, factor: 8 }, 'none'],
  ['plain', 'gpu', { size: 256, factor: 8 }, 'none'],
  ['texts', 'cpu', { size: 64, factor: 8 }, 'caption'],
  ['texts', 'gpu', { size: 128, factor: 4 }, 'caption'],
  ['classes', 'gpu', { size: 32, factor: 4 }, 'class'],
])('proposes for %s on a %s what is right by the checks and by the schema', async (name, machine, sizes, condition) => {
  const out = path.join(folder, `${name}-${machine}`);
  const result = await init(name, '--out', out, '--for', machine);
  expect(result.proposal).toMatchObject({ ...sizes, diffusion: { condition } });
  expect(result.parameters.diffusion).toBeGreaterThan(1e6);
  const validate = new Ajv({ strict: false }).compile(JSON.parse(fs.readFileSync(result.schema, 'utf8')));
  for (const file of [result.autoencoder, result.diffusion]) {
    const config = loadConfig(file);
    expect(resolveProject(config).model.params.base_learning_rate).toBeUndefined();
    expect(validate(config.values)).toBe(true);
    expect(fs.readFileSync(file, 'utf8').split('\n')[0]).toBe('# yaml-language-server: $schema=./ldm.schema.json');
    expect(config.get('data.params.validation') !== undefined).toBe(name === 'texts');
  }
});

test('every size has a proposal for both machines', async () => {
  const survey = await surveyFolder(path.join(images.root, 'plain'));
  for (const machine of ['cpu', 'gpu'] as const)
    for (const size of PROPOSED_SIZES) {
      const { factor, autoencoder } = propose(survey, { machine, size, perceptual: false });
      expect(factor).toBe(2 ** (autoencoder.chMult.length - 1));
      expect(size / factor).toBeGreaterThanOrEqual(8);
    }
});

test('refuses what it cannot do', async () => {
  const again = await runLdm('init', path.join(images.root, 'classes'), '--out', folder);
  expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/is there already.*--force/)]);
  expect((await runLdm('init', path.join(images.root, 'none'))).stderr).toMatch(/There is no folder/);
  expect((await runLdm('init', images.root, '--size', '100')).code).toBe(2);
  const empty = new TestFolder();
  expect((await runLdm('init', empty.root, '--out', folder)).stderr).toMatch(/No image found/);
  empty.remove();
});

test('a pattern stands for the newest file', () => {
  const write = (name: string, seconds: number) => {
    const file = path.join(folder, 'newest', name, 'last.ckpt');
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, '');
    fs.utimesSync(file, seconds, seconds);
    return file;
  };
  write('2026-01_x', 10);
  const expected = write('2025-12_x', 20);
  write('2026-02_y', 30);
  expect(newestMatch(path.join(folder, 'newest', '*_x', 'last.ckpt'))).toBe(expected);
  expect(newestMatch(path.join(folder, 'newest', '*_z', 'last.ckpt'))).toBeUndefined();
});
