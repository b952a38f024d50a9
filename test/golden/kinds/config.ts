/** Kind `config`: OmegaConf's semantics of YAML, overrides and merging, and every official config. Needs no network. */
import fs from 'node:fs';
import path from 'node:path';
import { Config, type ConfigMap, type ConfigValue, loadConfig, mergeConfigs, parseDotlist } from '../../../lib/config';
import { interpolate } from '../../../lib/config/interpolation';
import type { MapNode } from '../../../lib/config/node';
import { toPlain } from '../../../lib/config/node';
import { parseYaml } from '../../../lib/config/parse';
import type { KindHandler } from '../runner/case';

const PROJECT = path.join(__dirname, '..', '..', '..');

const handler: KindHandler = async (c) => {
  const yaml = c.meta.yaml as Record<string, { text: string; json: unknown }>;
  for (const [name, { text, json }] of Object.entries(yaml)) {
    c.expectEqual(`yaml.${name}`, toPlain(interpolate(parseYaml(text, name) as MapNode)), decode(json));
  }
  const dotlist = c.meta.dotlist as Record<string, { list: string[]; json: unknown }>;
  for (const [name, { list, json }] of Object.entries(dotlist)) {
    c.expectEqual(`dotlist.${name}`, parseDotlist(list).values, decode(json));
  }
  const { base, over, cli, json, yaml: text } = c.meta.merge as Record<string, any>;
  const merged = mergeConfigs(
    Config.from(decode(base) as ConfigMap),
    Config.from(decode(over) as ConfigMap),
    parseDotlist(cli),
  );
  c.expectEqual('merge.json', merged.values, decode(json));
  c.expectEqual('merge.yaml', merged.toYaml(), text);

  for (const [file, expected] of Object.entries(c.meta.official as Record<string, unknown>)) {
    for (const copy of copiesOf(file)) c.expectEqual(`official.${file}`, loadConfig(copy).values, decode(expected));
  }
  await c.out('none', Float32Array.of(0));
};

/** The project's own copy, and the original where a folder with the originals lies beside the checkout. */
function copiesOf(official: string): string[] {
  const own = path.join(PROJECT, 'models', official.replace(/^models\//, ''));
  const original = path.join(PROJECT, '..', 'shared', 'official', official);
  return fs.existsSync(original) ? [own, original] : [own];
}

/** JSON of a case writes infinities as {"$float": "inf"}. */
function decode(value: unknown): ConfigValue {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== 'object' || value === null) return value as ConfigValue;
  if ('$float' in value) return Number(String(value.$float).replace('inf', 'Infinity'));
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, decode(child)]));
}

export default handler;
