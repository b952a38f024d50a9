/**
 * The vocabulary of key maps: which tensor of the official layout is which of diffusers, and in what form. The maps
 * themselves are the tables beside this file; each lists the official keys in the order of the reference's state_dict.
 */
import { LdmError } from '../../errors';
import { Tensor } from '../../tensor';

/**
 * What happens to a tensor between the two layouts.
 * - `same`: nothing
 * - `pointwise`: a convolution with a kernel of one element there, a matrix in diffusers
 * - `stacked`: queries, keys and values in one tensor there, three in diffusers; `heads` groups lie one after another, each
 *   with its queries, keys and values (`heads` 1: all queries, all keys, all values)
 * - `transposed`: a matrix and its transpose
 */
export type Form =
  | { kind: 'same' }
  | { kind: 'pointwise'; rank: 3 | 4 }
  | { kind: 'stacked'; heads: number; rank: 1 | 2 | 3 }
  | { kind: 'transposed' };

/** A tensor of the official layout and the one or three of diffusers that hold the same numbers. */
export interface KeyPair {
  official: string;
  diffusers: readonly string[];
  form: Form;
}

/** A row of a table: names of a layer in both layouts, and the form of its weight where that is not the same. */
export type LayerRow = readonly [official: string, diffusers: string, weight?: Form];

export const SAME: Form = { kind: 'same' };

/** Weight and bias of each layer of a table. */
export function layers(official: string, diffusers: string, rows: readonly LayerRow[]): KeyPair[] {
  return rows.flatMap(([from, to, form = SAME]) => [
    pair(`${official}${from}.weight`, `${diffusers}${to}.weight`, form),
    pair(`${official}${from}.bias`, `${diffusers}${to}.bias`),
  ]);
}

export function pair(official: string, diffusers: string, form: Form = SAME): KeyPair {
  return { official, diffusers: [diffusers], form };
}

/** The same pairs under longer names. */
export function prefixed(official: string, diffusers: string, pairs: readonly KeyPair[]): KeyPair[] {
  return pairs.map((p) => ({
    ...p,
    official: official + p.official,
    diffusers: p.diffusers.map((name) => diffusers + name),
  }));
}

/** Shape in diffusers of each tensor that an official one of this shape becomes. */
export function diffusersShape({ official, form }: KeyPair, shape: readonly number[]): number[] {
  switch (form.kind) {
    case 'same':
      return [...shape];
    case 'pointwise':
      if (shape.length !== form.rank || shape.slice(2).some((n) => n !== 1))
        throw unexpected(official, shape, `${form.rank} dimensions with kernels of one element`);
      return shape.slice(0, 2);
    case 'stacked': {
      if (shape.length !== form.rank || shape[0] % (3 * form.heads) !== 0 || shape.slice(2).some((n) => n !== 1))
        throw unexpected(official, shape, `${form.rank} dimensions, the first a multiple of ${3 * form.heads}`);
      return [shape[0] / 3, ...shape.slice(1, 2)];
    }
    case 'transposed':
      if (shape.length !== 2) throw unexpected(official, shape, 'a matrix');
      return [shape[1], shape[0]];
  }
}

/** Official shape of the tensor that diffusers' ones of this shape make together. */
export function officialShape({ diffusers, form }: KeyPair, shape: readonly number[]): number[] {
  switch (form.kind) {
    case 'same':
      return [...shape];
    case 'pointwise':
      // the first versions kept the convolution
      if (shape.length < 2 || shape.slice(2).some((n) => n !== 1)) throw unexpected(diffusers[0], shape, 'a matrix');
      return [shape[0], shape[1], ...Array(form.rank - 2).fill(1)];
    case 'stacked': {
      const inner = shape.slice(1, 2);
      if (shape.length < Math.min(form.rank, 2) || shape[0] % form.heads !== 0 || shape.slice(2).some((n) => n !== 1))
        throw unexpected(diffusers[0], shape, `a first dimension that ${form.heads} divides`);
      return [3 * shape[0], ...inner, ...Array(form.rank - 1 - inner.length).fill(1)];
    }
    case 'transposed':
      if (shape.length !== 2) throw unexpected(diffusers[0], shape, 'a matrix');
      return [shape[1], shape[0]];
  }
}

/** The `index`-th tensor of diffusers, computed from the official one. The caller disposes of it. */
export function toDiffusers(p: KeyPair, source: Tensor, index: number): Tensor {
  const shape = diffusersShape(p, source.shape);
  if (p.form.kind === 'transposed') return source.permute(1, 0);
  if (p.form.kind !== 'stacked') return source.reshape(shape);
  const { heads } = p.form;
  using grouped = source.reshape(heads, 3, shape[0] / heads, ...shape.slice(1));
  using own = grouped.select(1, index);
  return own.reshape(shape);
}

/** The official tensor, computed from one or three of diffusers. The caller disposes of it. */
export function toOfficial(p: KeyPair, sources: readonly Tensor[]): Tensor {
  const [first] = sources;
  const shape = officialShape(p, first.shape);
  if (p.form.kind === 'transposed') return first.permute(1, 0);
  if (p.form.kind !== 'stacked') return first.reshape(shape);
  const { heads } = p.form;
  const grouped = sources.map((t) => t.reshape(heads, first.shape[0] / heads, ...shape.slice(1, 2)));
  using stacked = Tensor.stack(grouped, 1);
  for (const t of grouped) t.dispose();
  return stacked.reshape(shape);
}

function unexpected(name: string, shape: readonly number[], wanted: string): LdmError {
  return new LdmError('ERR_CHECKPOINT', `Expected '${name}' with ${wanted} but its shape is [${shape.join(', ')}]`);
}
