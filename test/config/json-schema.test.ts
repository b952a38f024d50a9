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

test('editors are told what keys mean, with defaults and ranges', () => {
  const params = (target: string) => schema.definitions[`params of ${target}`].properties;
  const kl = params('ldm.models.autoencoder.AutoencoderKL');
  expect(kl.embed_dim.description).toBe('Channels of the latent.');
  // A section, which several models share.
  const ddconfig = schema.definitions[kl.ddconfig.anyOf[0].$ref.replace('#/definitions/', '')].properties;
  expect(ddconfig.ch).toMatchObject({ description: 'Width of the first level.' });
  expect(ddconfig.dropout).toMatchObject({ default: 0, description: expect.stringContaining('training') });
  const alias = params('ldm.modules.losses.contperceptual.LPIPSWithDiscriminator');
  expect(alias.disc_start.description).toMatch(/discriminator begins/);
  expect(params('ldm.data.lsun.LSUNChurchesTrain').size.description).toMatch(/pixels/);
  const { trainer } = schema.properties.lightning.properties;
  expect(trainer.anyOf[0].properties.max_time.description).toMatch(/Seconds/);

  const told = Object.entries<any>(schema.definitions)
    .filter(([name]) => /^params of ldm\.models|losses|openaimodel\.UNetModel/.test(name))
    .flatMap(([name, { properties }]) => Object.entries<any>(properties).map(([key, p]) => [`${name}: ${key}`, p]));
  expect(told.filter(([, { description }]) => !description).map(([name]) => name)).toEqual([]);
});
