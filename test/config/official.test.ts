/** The project's own copies of the official configs, and the originals where they lie beside the checkout. */
import fs from 'node:fs';
import path from 'node:path';
import { loadConfig, resolveProject, toYaml } from '../../lib/config';
import { temporaryFiles } from './files';

const MODELS = path.join(__dirname, '../../models');
const ORIGINALS = path.join(__dirname, '../../../shared/official');
const write = temporaryFiles();

const configsIn = (folder: string): string[] =>
  fs.existsSync(folder)
    ? (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith('.yaml')).sort()
    : [];
const own = configsIn(MODELS).filter((name) => /^(configs|first_stage_models|ldm)\//.test(name));

test('all 32 official configs are there', () => {
  expect(own).toHaveLength(32);
});

test.each(own)('%s is valid and survives being written', (name) => {
  const config = loadConfig(path.join(MODELS, name));
  const { model, baseLearningRate } = resolveProject(config);
  expect(model.params).toHaveProperty('monitor');
  expect(baseLearningRate).toBeGreaterThan(0);
  expect(loadConfig(write('again.yaml', config.toYaml())).values).toEqual(config.values);
  expect(loadConfig(write('plain.yaml', toYaml(config.values))).values).toEqual(config.values);
});

// Jest refuses an empty table: without the originals nothing is left to compare.
const originals = configsIn(ORIGINALS);
(originals.length > 0 ? describe : describe.skip)('beside the originals', () => {
  test.each(originals.length > 0 ? originals : ['none'])('%s has the same values', (name) => {
    const original = loadConfig(path.join(ORIGINALS, name));
    resolveProject(original);
    expect(loadConfig(path.join(MODELS, name.replace(/^models\//, ''))).values).toEqual(original.values);
  });
});
