/**
 * The tree that a config is kept in: plain values plus where each of them was written. Everything that users touch is
 * made of plain values; a plain object or array remembers its tree node (see {@link originOf}), so that an error about it
 * can name the file and line.
 */

/** Where a value was written: a place in a file, or a command-line override (then `line` is absent). */
export interface Position {
  /** Path of the file as it was given, or the text of the override. */
  source: string;
  /** 1-based. */
  line?: number;
  /** 1-based. */
  column?: number;
}

/** What a config is made of. Integers beyond 2^53 are bigints. */
export type ConfigValue = null | boolean | number | bigint | string | ConfigValue[] | ConfigMap;
export interface ConfigMap {
  [key: string]: ConfigValue;
}

export interface MapNode {
  kind: 'map';
  entries: Map<string, ConfigNode>;
  at: Position;
}
export interface ListNode {
  kind: 'list';
  items: ConfigNode[];
  at: Position;
}
export interface ScalarNode {
  kind: 'scalar';
  value: null | boolean | number | bigint | string;
  /** Written as a float: JavaScript cannot tell 1.0 from 1, but a config that is saved again has to. */
  float: boolean;
  at: Position;
}
export type ConfigNode = MapNode | ListNode | ScalarNode;

/** Keys and indices from the root of a config. */
export type KeyPath = readonly (string | number)[];

/** 'model.params.ch_mult[2]' */
export function formatPath(path: KeyPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** 'config.yaml:12:5', or 'override "a.b=1"' for a value from the command line. */
export function formatPosition(at: Position): string {
  return at.line === undefined ? `override "${at.source}"` : `${at.source}:${at.line}:${at.column}`;
}

/** The child of a node under a key or an index, if there is one. */
export function childOf(node: ConfigNode | undefined, key: string | number): ConfigNode | undefined {
  if (node?.kind === 'map') return node.entries.get(String(key));
  if (node?.kind === 'list') return node.items[Number(key)];
  return undefined;
}

/** Where a plain object or array came from. */
export interface Origin {
  root: ConfigNode;
  path: KeyPath;
}

const origins = new WeakMap<object, Origin>();

/** The tree and key path that a plain object or array of a {@link Config} was made from, if it was. */
export function originOf(value: unknown): Origin | undefined {
  return typeof value === 'object' && value !== null ? origins.get(value) : undefined;
}

/** Position of the deepest node on `path` that exists. */
export function positionAt(root: ConfigNode, path: KeyPath): Position {
  let node = root;
  for (const key of path) {
    const next = childOf(node, key);
    if (!next) break;
    node = next;
  }
  return node.at;
}

/** Plain values of a tree; objects and arrays remember where they came from. */
export function toPlain(root: ConfigNode): ConfigValue {
  const convert = (node: ConfigNode, path: KeyPath): ConfigValue => {
    if (node.kind === 'scalar') return node.value;
    const plain: ConfigValue[] | ConfigMap =
      node.kind === 'list' ? node.items.map((item, index) => convert(item, [...path, index])) : convertMap(node, path);
    origins.set(plain, { root, path });
    return plain;
  };
  const convertMap = (node: MapNode, path: KeyPath): ConfigMap => {
    const plain: ConfigMap = {};
    for (const [key, child] of node.entries) {
      // A key such as __proto__ must become an own property, not the prototype.
      Object.defineProperty(plain, key, {
        value: convert(child, [...path, key]),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return plain;
  };
  return convert(root, []);
}

/** A tree of plain values; every node gets the position `at`. */
export function fromPlain(value: ConfigValue, at: Position): ConfigNode {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => fromPlain(item, at)), at };
  if (typeof value === 'object' && value !== null) {
    const entries = new Map(Object.entries(value).map(([key, child]) => [key, fromPlain(child, at)]));
    return { kind: 'map', entries, at };
  }
  return { kind: 'scalar', value, float: typeof value === 'number' && !Number.isInteger(value), at };
}
