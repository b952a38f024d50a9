/** Every official config is right by the JSON schema, and what `ldm` refuses is wrong by it. */
import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { configJsonSchema, loadConfig } from '../../lib/config';

const MODELS = path.join(__dirname, '../../models');
const configs = fs
  .readdirSync(MODELS, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .sort();
const schema = configJsonSchema();
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);

test('there are configs', () => expect(configs.length).toBeGreaterThan(40));

test.each(configs)('%s', (file) => {
  const valid = validate(loadConfig(path.join(MODELS, file)).values);
  expect(valid ? [] : validate.errors?.map((e) => `${e.instancePath} ${e.message}`)).toEqual([]);
});

test.each([
  ['model.params.embed_dimm=4', /additional properties/],
  ['model.params.embed_dim=two', /must be integer/],
  ['model.params.ddconfig.resolutoin=3', /additional properties/],
  ['model.target=ldm.models.autoencoder.AutoencoderKLL', /allowed values/],
  ['model.params.lossconfig.target=main.ImageLogger', /allowed values/],
  ['lightning.trainer.max_epoch=3', /additional properties/],
  ['training.x=3', /additional properties/],
])('%s is wrong', (override, message) => {
  const [key, value] = override.split('=');
  const values = structuredClone(
    loadConfig(path.join(MODELS, 'configs/autoencoder/autoencoder_kl_32x32x4.yaml')).values,
  ) as Record<string, any>;
  const keys = key.split('.');
  const last = keys.pop()!;
  let place = values;
  for (const k of keys) {
    place[k] ??= {};
    place = place[k];
  }
  place[last] = /^\d+$/.test(value) ? Number(value) : value;
  expect(validate(values)).toBe(false);
  expect(validate.errors?.map((e) => e.message).join()).toMatch(message);
});

test('interpolations and values that are to be given may stand anywhere', () => {
  const values = structuredClone(
    loadConfig(path.join(MODELS, 'configs/autoencoder/autoencoder_kl_32x32x4.yaml')).values,
  ) as Record<string, any>;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: OmegaConf's interpolation
  values.model.params.embed_dim = '${model.params.ddconfig.z_channels}';
  values.data.params.batch_size = '???';
  expect(validate(values)).toBe(true);
});
