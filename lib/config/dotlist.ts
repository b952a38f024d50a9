/** Command-line overrides `a.b.c=value`, typed like OmegaConf.from_dotlist: the value is YAML. */
import { mergeNode } from './merge';
import type { ConfigNode, MapNode, Position } from './node';
import { parseYaml } from './parse';
import { errorAt } from './problems';

/**
 * A tree of overrides. Later ones win. The value behind the first `=` is YAML (numbers, lists, mappings, quoted strings);
 * `key=` and `key` alone set null. Keys may be written `a.b`, `a[b]` or both.
 */
export function dotlistNode(overrides: readonly string[]): MapNode {
  const root: MapNode = { kind: 'map', entries: new Map(), at: { source: overrides.join(' ') } };
  for (const override of overrides) {
    const at: Position = { source: override };
    const equals = override.indexOf('=');
    const key = equals < 0 ? override : override.slice(0, equals);
    const text = equals < 0 ? '' : override.slice(equals + 1).trim();
    const value = text === '' ? nullNode(at) : parseYaml(text, at);
    assign(root, splitKey(key, at), value, at);
  }
  return root;
}

function nullNode(at: Position): ConfigNode {
  return { kind: 'scalar', value: null, float: false, at };
}

/** 'a.b[c].d' to ['a', 'b', 'c', 'd'] */
function splitKey(key: string, at: Position): string[] {
  const parts = key
    .replace(/\[([^[\]]*)\]/g, '.$1')
    .replace(/^\./, '')
    .split('.');
  if (parts.some((part) => part === '')) {
    throw errorAt(at, 'an override has the form key.path=value, for example model.params.embed_dim=4');
  }
  return parts;
}

function assign(root: MapNode, path: readonly string[], value: ConfigNode, at: Position): void {
  let map = root;
  for (const key of path.slice(0, -1)) {
    let next = map.entries.get(key);
    if (next?.kind === 'list') throw errorAt(at, `"${key}" is a list here; give the whole list`);
    if (next?.kind !== 'map') {
      next = { kind: 'map', entries: new Map(), at };
      map.entries.set(key, next);
    }
    map = next;
  }
  const last = path[path.length - 1]!;
  const existing = map.entries.get(last);
  map.entries.set(last, existing ? mergeNode(last, existing, value) : value);
}
