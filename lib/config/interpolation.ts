/**
 * OmegaConf's `${...}` interpolation: absolute (`${model.params.embed_dim}`), relative (`${.key}` is a sibling, each further
 * dot goes one level up), inside text, nested (`${sizes.${name}}`), and environment variables (`${oc.env:HOME}`,
 * `${oc.env:HOME,default}`, and the older `${env:HOME}`). A backslash (`\${`) keeps the text as it is.
 */
import { type ConfigNode, childOf, formatPath, type KeyPath, type MapNode, type Position } from './node';
import { errorAt } from './problems';
import { resolveScalar } from './scalars';

/** A copy of the tree in which every interpolation is replaced by what it points to. */
export function interpolate(root: MapNode): MapNode {
  return new Interpolation(root).resolve(root, [], []) as MapNode;
}

type Piece = string | { expression: Piece[] };

class Interpolation {
  constructor(private readonly root: MapNode) {}

  /** @param chain the references that led here: one that comes again is a circle */
  resolve(node: ConfigNode, path: KeyPath, chain: readonly string[]): ConfigNode {
    if (node.kind === 'list') {
      return { ...node, items: node.items.map((item, index) => this.resolve(item, [...path, index], chain)) };
    }
    if (node.kind === 'map') {
      const entries = new Map<string, ConfigNode>();
      for (const [key, child] of node.entries) entries.set(key, this.resolve(child, [...path, key], chain));
      return { ...node, entries };
    }
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node;
    const pieces = parsePieces(node.value, node.at);
    const [only] = pieces;
    if (pieces.length === 1 && typeof only === 'object') return this.evaluate(only.expression, path, chain, node.at);
    return { ...node, value: this.text(pieces, path, chain, node.at) };
  }

  private text(pieces: readonly Piece[], path: KeyPath, chain: readonly string[], at: Position): string {
    return pieces
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        const value = this.evaluate(piece.expression, path, chain, at);
        if (value.kind !== 'scalar') throw errorAt(at, 'only a single value can be inserted into text');
        return value.value === null ? 'None' : String(value.value);
      })
      .join('');
  }

  private evaluate(expression: readonly Piece[], path: KeyPath, chain: readonly string[], at: Position): ConfigNode {
    const text = this.text(expression, path, chain, at).trim();
    const resolver = /^([\w.]+):(.*)$/s.exec(text);
    if (resolver) return environment(resolver[1]!, resolver[2]!, at);
    return this.reference(text, path, chain, at);
  }

  private reference(reference: string, path: KeyPath, chain: readonly string[], at: Position): ConfigNode {
    const dots = /^\.*/.exec(reference)![0].length;
    if (dots > path.length) throw errorAt(at, `\${${reference}} goes above the root of the config`);
    const start = dots === 0 ? [] : path.slice(0, path.length - dots);
    const keys = reference
      .slice(dots)
      .replace(/\[([^[\]]*)\]/g, '.$1')
      .split('.')
      .filter((key) => key !== '');
    const target = [...start, ...keys];
    const name = formatPath(target);
    if (chain.includes(name)) throw errorAt(at, `\${${reference}} refers to itself (${[...chain, name].join(' -> ')})`);

    const links = [...chain, name];
    let node: ConfigNode = this.root;
    for (const [depth, key] of target.entries()) {
      let next = childOf(node, key);
      // A reference may lead through a key that is an interpolation itself.
      if (next?.kind === 'scalar' && depth < target.length - 1)
        next = this.resolve(next, target.slice(0, depth + 1), links);
      if (!next) throw errorAt(at, `\${${reference}}: there is no key "${formatPath(target.slice(0, depth + 1))}"`);
      node = next;
    }
    return this.resolve(node, target, links);
  }
}

function environment(resolver: string, argument: string, at: Position): ConfigNode {
  if (resolver !== 'oc.env' && resolver !== 'env') {
    throw errorAt(at, `the resolver "${resolver}" in \${${resolver}:...} is not known; known are oc.env and env`);
  }
  const comma = argument.indexOf(',');
  const name = (comma < 0 ? argument : argument.slice(0, comma)).trim();
  const value = process.env[name] ?? (comma < 0 ? undefined : argument.slice(comma + 1).trim());
  if (value === undefined) throw errorAt(at, `the environment variable ${name} is not set`);
  // oc.env gives text; only the older env resolver reads numbers and booleans out of it.
  return resolver === 'env'
    ? { kind: 'scalar', ...resolveScalar(value), at }
    : { kind: 'scalar', value, float: false, at };
}

/** Splits text into literal parts and `${...}` expressions, which may be nested. */
function parsePieces(text: string, at: Position): Piece[] {
  let position = 0;
  const parse = (nested: boolean): Piece[] => {
    const pieces: Piece[] = [];
    let literal = '';
    const flush = () => {
      if (literal !== '') pieces.push(literal);
      literal = '';
    };
    while (position < text.length) {
      if (text.startsWith('\\${', position)) {
        literal += '${';
        position += 3;
      } else if (text.startsWith('${', position)) {
        position += 2;
        flush();
        pieces.push({ expression: parse(true) });
      } else if (nested && text[position] === '}') {
        position++;
        flush();
        return pieces;
      } else literal += text[position++];
    }
    if (nested) throw errorAt(at, `"${text}" has a \${ without its closing brace`);
    flush();
    return pieces;
  };
  return parse(false);
}
