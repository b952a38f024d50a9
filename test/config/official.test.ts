/** Every config in models/, and the official originals where they lie beside the checkout. */
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
const own = configsIn(MODELS);

test('all 32 official configs are there', () => {
  expect(own.filter((name) => /^(configs|first_stage_models|ldm\/(?!stable-diffusion))/.test(name))).toHaveLength(32);
});

test.each(own)('%s is valid and survives being written', (name) => {
  // The demo gives its first stage's checkpoint as an override.
  const given = name === 'demo/ldm.yaml' ? ['model.params.first_stage_config.params.ckpt_path=ae.ckpt'] : [];
  const config = loadConfig(path.join(MODELS, name), given);
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
