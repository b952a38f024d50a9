/** A loaded config: plain values, interpolated, and where each of them was written. */
import { dotlistNode } from './dotlist';
import { interpolate } from './interpolation';
import { mergeNodes } from './merge';
import {
  type ConfigMap,
  type ConfigNode,
  type ConfigValue,
  childOf,
  fromPlain,
  type KeyPath,
  type MapNode,
  type Position,
  positionAt,
  toPlain,
} from './node';
import { readConfigFile } from './parse';
import { nodeToYaml } from './to-yaml';

/** A merged config. It is immutable: {@link Config.merge} gives a new one. */
export class Config {
  /** Plain values with all interpolations resolved. */
  readonly values: ConfigMap;
  private readonly resolved: MapNode;

  /** @internal */
  constructor(private readonly tree: MapNode) {
    this.resolved = interpolate(tree);
    this.values = toPlain(this.resolved) as ConfigMap;
  }

  /** A config of plain values. `source` is what error messages call it. */
  static from(values: ConfigMap, source = 'config'): Config {
    const node = fromPlain(values, { source, line: 1, column: 1 });
    return new Config(node as MapNode);
  }

  /** The value under a key path such as 'model.params.embed_dim' or ['model', 'params'], or undefined. */
  get(path: string | KeyPath): ConfigValue | undefined {
    let value: ConfigValue | undefined = this.values;
    for (const key of keysOf(path)) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as ConfigMap)[key];
    }
    return value;
  }

  /** Where the value under a key path was written; undefined when there is none. */
  position(path: string | KeyPath): Position | undefined {
    const keys = keysOf(path);
    return this.get(keys) === undefined ? undefined : positionAt(this.resolved, keys);
  }

  /** Whether the number under a key path was written as a float: `1.0` is one, `1` is not, though JavaScript has them equal. */
  isFloat(path: string | KeyPath): boolean {
    const node = keysOf(path).reduce<ConfigNode | undefined>((at, key) => childOf(at, key), this.resolved);
    return node?.kind === 'scalar' && node.float;
  }

  /** A new config in which the values of `other` win. */
  merge(other: Config): Config {
    return new Config(mergeNodes(this.tree, other.tree));
  }

  /** A new config with only the given top-level sections, those of them that exist. */
  pick(...sections: string[]): Config {
    const entries = new Map([...this.tree.entries].filter(([key]) => sections.includes(key)));
    return new Config({ ...this.tree, entries });
  }

  /**
   * YAML text in OmegaConf's style.
   * @param options.resolve write what interpolations point to instead of themselves; default false
   */
  toYaml(options: { resolve?: boolean } = {}): string {
    return nodeToYaml(options.resolve ? this.resolved : this.tree);
  }
}

function keysOf(path: string | KeyPath): string[] {
  if (typeof path !== 'string') return path.map(String);
  return path === '' ? [] : path.replace(/\[(\d+)\]/g, '.$1').split('.');
}

/**
 * Reads config files and merges them from left to right, then applies overrides `a.b.c=value`.
 * @throws LdmError ERR_FILE when a file cannot be read; ERR_CONFIG with file, line and key path when one is wrong
 */
export function loadConfig(paths: string | readonly string[], overrides: readonly string[] = []): Config {
  const files = (typeof paths === 'string' ? [paths] : paths).map(readConfigFile);
  const empty: MapNode = { kind: 'map', entries: new Map(), at: { source: 'config' } };
  return new Config(mergeNodes(...(files.length > 0 ? files : [empty]), dotlistNode(overrides)));
}

/** Merges configs from left to right; the later value wins, lists are replaced whole. */
export function mergeConfigs(...configs: readonly Config[]): Config {
  const [first, ...rest] = configs;
  return rest.reduce((merged, config) => merged.merge(config), first ?? Config.from({}));
}

/**
 * Overrides `a.b.c=value` as a config, typed like OmegaConf.from_dotlist: the value is YAML, `key=` is null.
 * @throws LdmError ERR_CONFIG naming the override
 */
export function parseDotlist(overrides: readonly string[]): Config {
  return new Config(dotlistNode(overrides));
}
