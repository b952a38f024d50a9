/** The two tables by which the cases compare many tensors at once: checksums and updates (spec/common.py). */
import { Tensor } from '../../../lib/tensor';

/** Names and values, in order. */
export type NamedTensors = ReadonlyMap<string, Tensor> | readonly (readonly [string, Tensor])[];

/** A table as it is reported: the names of its rows and an [n, columns] float64 tensor. */
export interface Table {
  names: string[];
  table: Tensor;
}

/** Per tensor: sum, sum of magnitudes, l2 norm, first element. Tensors without elements are left out. */
export function checksums(tensors: NamedTensors): Promise<Table> {
  return tabulate(tensors, 4, (t) => t.to({ dtype: 'float64', device: 'cpu' }));
}

/** Per tensor, of after - before: sum, sum of magnitudes, l2 norm. `before` holds copies under the same names. */
export function updates(before: ReadonlyMap<string, Tensor>, after: NamedTensors): Promise<Table> {
  return tabulate(after, 3, (t, name) => {
    using a = t.to({ dtype: 'float64', device: 'cpu' });
    using b = before.get(name)!.to({ dtype: 'float64', device: 'cpu' });
    return a.sub(b);
  });
}

async function tabulate(
  tensors: NamedTensors,
  columns: 3 | 4,
  convert: (t: Tensor, name: string) => Tensor,
): Promise<Table> {
  const names: string[] = [];
  const rows: number[] = [];
  for (const [name, tensor] of tensors) {
    if (tensor.numel === 0) continue;
    using x = convert(tensor, name);
    using flat = x.reshape(-1);
    using magnitude = flat.abs();
    using square = flat.mul(flat);
    using sum = flat.sum();
    using l1 = magnitude.sum();
    using l2 = square.sum();
    using first = flat.slice(0, 0, 1);
    names.push(name);
    rows.push(await sum.item(), await l1.item(), Math.sqrt(await l2.item()));
    if (columns === 4) rows.push(await first.item());
  }
  return { names, table: Tensor.from(Float64Array.from(rows), [names.length, columns]) };
}
