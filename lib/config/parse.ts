/** YAML text to a config tree, by the `yaml` package's parser with OmegaConf's scalars instead of its own. */
import fs from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseDocument, type ScalarTag } from 'yaml';
import { LdmError } from '../errors';
import type { ConfigNode, MapNode, Position } from './node';
import { errorAt } from './problems';
import { resolveScalar } from './scalars';

const TEXT = 'tag:yaml.org,2002:str';
/** Unquoted scalars stay text in the parser; {@link resolveScalar} gives them their meaning. */
const textTag: ScalarTag = { tag: TEXT, default: true, resolve: (text) => text };

/** Explicit tags (`!!float 1`) that a config may use. */
const EXPLICIT = new Set(['null', 'bool', 'int', 'float'].map((name) => `tag:yaml.org,2002:${name}`));

const explicitTags: ScalarTag[] = [...EXPLICIT].map((tag) => ({ tag, resolve: (text: string) => text }));

/**
 * Parses the text of a config. An empty text is an empty mapping.
 * @param source what positions and errors call the text; or the one position of everything in it, for an override
 */
export function parseYaml(text: string, source: string | Position): ConfigNode {
  const lines = new LineCounter();
  const at = (offset: number | undefined): Position => {
    if (typeof source !== 'string') return source;
    const { line, col } = lines.linePos(offset ?? 0);
    return { source, line, column: col };
  };
  const document = parseDocument(text, {
    version: '1.1',
    lineCounter: lines,
    merge: false,
    prettyErrors: false,
    customTags: (tags) => [
      ...tags.filter((t) => typeof t === 'object' && t.collection !== undefined),
      ...explicitTags,
      textTag,
    ],
    schema: 'failsafe',
  });
  // A warning is a tag that nobody knows: the value would be something else than what was meant.
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw errorAt(at(error.pos[0]), `this is not valid YAML: ${error.message}`, error);

  /** @param keyOffset where the key of a mapping's value stands: the place that an error names */
  const convert = (node: ParsedNode | null, keyOffset?: number, expanding: readonly unknown[] = []): ConfigNode => {
    const position = at(keyOffset ?? node?.range[0]);
    if (node === null) return { kind: 'scalar', value: null, float: false, at: position };
    if (isAlias(node)) {
      const anchored = node.resolve(document) as ParsedNode | undefined;
      if (!anchored) throw errorAt(at(node.range[0]), `there is no anchor "${node.source}"`);
      if (expanding.includes(anchored)) throw errorAt(at(node.range[0]), `the alias "*${node.source}" contains itself`);
      return convert(anchored, keyOffset ?? node.range[0], expanding);
    }
    const inside = [...expanding, node];
    if (isSeq(node)) {
      return {
        kind: 'list',
        items: node.items.map((item) => convert(item as ParsedNode, undefined, inside)),
        at: position,
      };
    }
    if (isMap(node)) {
      const map: MapNode = { kind: 'map', entries: new Map(), at: position };
      const merged: ConfigNode[] = [];
      for (const pair of node.items) {
        const key = pair.key as ParsedNode;
        if (!isScalar(key)) throw errorAt(at(key?.range[0]), 'a key has to be a single word');
        const value = convert(pair.value as ParsedNode | null, key.range[0], inside);
        if (key.type === 'PLAIN' && key.value === '<<') merged.push(...(value.kind === 'list' ? value.items : [value]));
        else map.entries.set(String(plainValue(key)), value);
      }
      mergeDefaults(map, merged);
      return map;
    }
    const untagged = node.type === 'PLAIN' && node.tag !== TEXT;
    if (untagged || (node.tag !== undefined && EXPLICIT.has(node.tag))) {
      const scalar = resolveScalar(String(node.value ?? ''));
      const float = scalar.float || node.tag === 'tag:yaml.org,2002:float';
      return { kind: 'scalar', value: scalar.value, float, at: position };
    }
    return { kind: 'scalar', value: String(node.value), float: false, at: position };
  };
  if (document.contents === null) return { kind: 'map', entries: new Map(), at: at(0) };
  return convert(document.contents as ParsedNode);
}

/** `<<: *defaults`: keys that the mapping does not have itself; of several sources the first one wins. */
function mergeDefaults(map: MapNode, sources: readonly ConfigNode[]): void {
  for (const source of sources) {
    if (source.kind !== 'map') throw errorAt(source.at, '"<<" takes a mapping or a list of mappings');
    for (const [key, value] of source.entries) if (!map.entries.has(key)) map.entries.set(key, value);
  }
}

function plainValue(key: { type?: string | null; value: unknown }): unknown {
  return key.type === 'PLAIN' ? resolveScalar(String(key.value ?? '')).value : key.value;
}

/** Reads and parses one config file, which has to hold a mapping. */
export function readConfigFile(path: string): MapNode {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const found = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : String(code);
    throw new LdmError('ERR_FILE', `Cannot read the config ${path}: ${found}. Give the path of a YAML file.`, {
      cause: error,
    });
  }
  const node = parseYaml(text.replace(/^\uFEFF/, ''), path);
  if (node.kind !== 'map') {
    throw errorAt(node.at, 'a config has to be a mapping with keys such as model, data and lightning');
  }
  return node;
}
