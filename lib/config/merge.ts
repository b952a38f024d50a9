/** OmegaConf.merge: mappings are merged key by key; lists and scalars are replaced whole. */
import type { ConfigNode, MapNode } from './node';
import { errorAt } from './problems';

/**
 * Merges trees from left to right; the later value wins. Nothing is changed in place.
 * A mapping cannot replace a list or the other way round: that is an error, as in OmegaConf.
 */
export function mergeNodes(...nodes: readonly MapNode[]): MapNode {
  const [first, ...rest] = nodes;
  if (!first) throw new TypeError('mergeNodes needs at least one tree');
  return rest.reduce((merged, node) => mergeMap(merged, node), first);
}

function mergeMap(base: MapNode, over: MapNode): MapNode {
  const entries = new Map(base.entries);
  for (const [key, value] of over.entries) {
    const existing = entries.get(key);
    entries.set(key, existing ? mergeNode(key, existing, value) : value);
  }
  return { kind: 'map', entries, at: base.at };
}

/** One value over another under the same key. */
export function mergeNode(key: string, base: ConfigNode, over: ConfigNode): ConfigNode {
  if (base.kind === 'map' && over.kind === 'map') return mergeMap(base, over);
  if (base.kind !== over.kind && base.kind !== 'scalar' && over.kind !== 'scalar') {
    const name = { map: 'a mapping', list: 'a list' };
    throw errorAt(
      over.at,
      `"${key}" is ${name[base.kind]} and cannot be replaced by ${name[over.kind]}; give the whole ${base.kind === 'list' ? 'list' : 'mapping'}`,
    );
  }
  return over;
}
