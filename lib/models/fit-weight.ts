/** The reference's `make_it_fit`: a weight for a layer with other numbers of channels than the one it comes from. */
import { LdmError } from '../errors';
import { Tensor } from '../tensor';

/**
 * A weight of the given shape whose first two axes are those of `weight`, cut or repeated from the start. Rows are divided by
 * how often their input channel is used, counted from 1 as in the reference (a channel that is used once counts 2).
 * @param key its name, for messages
 * @throws LdmError ERR_MISSING_KEYS when the shapes differ in more than their first two axes
 */
export function fitWeight(weight: Tensor, shape: readonly number[], key: string): Tensor {
  const found = weight.shape;
  if (found.length !== shape.length || shape.slice(2).join() !== found.slice(2).join())
    throw new LdmError(
      'ERR_MISSING_KEYS',
      `make_it_fit: expected ${key} of a shape like [${shape.join(', ')}], different in its first two axes at most, but ` +
        `found [${found.join(', ')}]`,
    );
  const rows = weight.to({ dtype: 'float32' }).indexSelect(0, repeated(found[0], shape[0]));
  if (shape.length === 1) return rows;
  const uses = new Float32Array(found[1]).fill(1);
  for (let i = 0; i < shape[1]; i++) uses[i % found[1]] += 1;
  const counts = Float32Array.from({ length: shape[1] }, (_, i) => uses[i % found[1]]);
  const divisor = Tensor.from(counts, [1, shape[1], ...shape.slice(2).map(() => 1)]);
  return rows.indexSelect(1, repeated(found[1], shape[1])).div(divisor);
}

/** 0, 1, ..., old - 1, 0, 1, ... */
function repeated(old: number, length: number): Tensor {
  return Tensor.from(BigInt64Array.from({ length }, (_, i) => BigInt(i % old)));
}
