/** YAML text to a config tree, by the `yaml` package's parser with OmegaConf's scalars instead of its own. */
import fs from 'node:fs';
import {
  type Alias,
  isAlias,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type ScalarTag,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { LdmError } from '../errors';
import type { ConfigNode, MapNode, Position, ScalarNode } from './node';
import { errorAt } from './problems';
import { resolveScalar } from './scalars';

const TEXT = 'tag:yaml.org,2002:str';
/** Unquoted scalars stay text in the parser; {@link resolveScalar} gives them their meaning. */
const textTag: ScalarTag = { tag: TEXT, default: true, resolve: (text) => text };

/** Explicit tags (`!!float 1`) that a config may use. */
const EXPLICIT = new Set(['null', 'bool', 'int', 'float'].map((name) => `tag:yaml.org,2002:${name}`));

const explicitTags: ScalarTag[] = [...EXPLICIT].map((tag) => ({ tag, resolve: (text: string) => text }));

/** More values than any config has: aliases of aliases grow exponentially. */
const MAX_VALUES = 100_000;

/** The parser is recursive: text that nests without end would end the process. */
const MAX_DEPTH = 200;

/** Counts open brackets and the columns before the first letter of each line: never too few levels. */
function isNestedTooDeeply(text: string): boolean {
  let open = 0;
  for (const letter of text) {
    if (letter === '[' || letter === '{') open += 1;
    else if (letter === ']' || letter === '}') open = Math.max(0, open - 1);
    if (open > MAX_DEPTH) return true;
  }
  return text.split('\n').some((line) => /^[ \-?:]*/.exec(line)![0].length > 2 * MAX_DEPTH);
}

/**
 * Parses the text of a config. An empty text is an empty mapping.
 * @param source what positions and errors call the text; or the one position of everything in it, for an override
 */
export function parseYaml(text: string, source: string | Position): ConfigNode {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    if (typeof source !== 'string') return source;
    const { line, col } = lines.linePos(offset);
    return { source, line, column: col };
  };
  if (isNestedTooDeeply(text)) throw errorAt(at(0), `the values are nested more than ${MAX_DEPTH} levels deep`);
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    customTags: (tags) => [
      ...tags.filter((t) => typeof t === 'object' && t.collection !== undefined),
      ...explicitTags,
      textTag,
    ],
    merge: false,
    lineCounter: lines,
    prettyErrors: false,
  });
  // A warning is a tag that nobody knows: the value would be something else than what was meant.
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw errorAt(at(error.pos[0]), `this is not valid YAML: ${error.message}`, error);
  if (document.contents === null) return { kind: 'map', entries: new Map(), at: at(0) };
  return new TreeBuilder(at).build(document.contents);
}

/** Makes a config tree of a parsed document. */
class TreeBuilder {
  private values = 0;
  /** The lists and mappings around the value that is being built: an alias of one of them would never end. */
  private readonly around: ParsedNode[] = [];
  /** What each anchor means at this place of the text. */
  private readonly anchors = new Map<string, ParsedNode>();
  private expanding = 0;

  constructor(private readonly at: (offset: number) => Position) {}

  /** @param keyOffset where the key of a mapping's value stands: the place that an error names */
  build(node: ParsedNode | null, keyOffset?: number): ConfigNode {
    const at = this.at(keyOffset ?? node?.range[0] ?? 0);
    if (++this.values > MAX_VALUES) throw errorAt(at, `aliases make more than ${MAX_VALUES} values of this config`);
    if (node === null) return { kind: 'scalar', value: null, float: false, at };
    if (isAlias(node)) return this.alias(node, keyOffset);
    // The anchors within an expanded alias were noted when they were passed the first time.
    if (node.anchor !== undefined && this.expanding === 0) this.anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarNode(node, at);
    this.around.push(node);
    const built = isSeq(node) ? this.list(node, at) : this.map(node as YAMLMap.Parsed, at);
    this.around.pop();
    return built;
  }

  private alias(node: Alias.Parsed, keyOffset: number | undefined): ConfigNode {
    const at = this.at(node.range[0]);
    const anchored = this.anchors.get(node.source);
    if (!anchored) throw errorAt(at, `there is no anchor "${node.source}"`);
    if (this.around.includes(anchored)) throw errorAt(at, `the alias "*${node.source}" contains itself`);
    this.expanding += 1;
    const built = this.build(anchored, keyOffset ?? node.range[0]);
    this.expanding -= 1;
    return built;
  }

  private list(node: YAMLSeq.Parsed, at: Position): ConfigNode {
    return { kind: 'list', items: node.items.map((item) => this.build(item as ParsedNode)), at };
  }

  private map(node: YAMLMap.Parsed, at: Position): ConfigNode {
    const map: MapNode = { kind: 'map', entries: new Map(), at };
    const merged: ConfigNode[] = [];
    for (const { key, value } of node.items) {
      if (!isScalar(key)) throw errorAt(this.at(key?.range[0] ?? 0), 'a key has to be a single word');
      const child = this.build(value as ParsedNode | null, key.range?.[0]);
      if (key.type === 'PLAIN' && key.value === '<<') merged.push(...(child.kind === 'list' ? child.items : [child]));
      else map.entries.set(String(scalarNode(key, at).value), child);
    }
    mergeDefaults(map, merged);
    return map;
  }
}

/** Quoted text is text; what an unquoted scalar means, its letters say. */
function scalarNode(node: Scalar, at: Position): ScalarNode {
  const text = String(node.value ?? '');
  const plain = node.type === 'PLAIN' && node.tag !== TEXT;
  if (!plain && !(node.tag !== undefined && EXPLICIT.has(node.tag)))
    return { kind: 'scalar', value: text, float: false, at };
  const { value, float } = resolveScalar(text);
  return { kind: 'scalar', value, float: float || node.tag === 'tag:yaml.org,2002:float', at };
}

/** `<<: *defaults`: keys that the mapping does not have itself; of several sources the first one wins. */
function mergeDefaults(map: MapNode, sources: readonly ConfigNode[]): void {
  for (const source of sources) {
    if (source.kind !== 'map') throw errorAt(source.at, '"<<" takes a mapping or a list of mappings');
    for (const [key, value] of source.entries) if (!map.entries.has(key)) map.entries.set(key, value);
  }
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
