/** The reference's `ucg_training`: conditions of a training batch that are left out at random, for guidance. */
import { LdmError } from '../errors';
import type { RandomSource } from '../job';
import { Tensor } from '../tensor';

/** By key of the batch: how often an entry becomes `val`; null stands for the empty text. */
export type DropRules = Readonly<Record<string, { p: number; val: string | number | null }>>;

/**
 * A batch with some entries replaced: each of a key's entries with its probability.
 * @param random where the chances come from; default: libtorch's default generator
 * @throws LdmError ERR_INVALID_ARGUMENT when a key is missing, or its entries are neither texts nor labels
 */
export async function dropConditions(
  batch: Readonly<Record<string, unknown>>,
  rules: DropRules,
  random?: RandomSource | null,
): Promise<Record<string, unknown>> {
  const out: Record<string, unknown> = { ...batch };
  for (const [key, { p, val }] of Object.entries(rules)) {
    const entries = batch[key];
    const texts = Array.isArray(entries);
    if (!texts && !(entries instanceof Tensor && entries.dim === 1))
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `ucg_training: expected texts or labels [n] under '${key}' of the batch; it has: ${Object.keys(batch).join(', ')}`,
      );
    using draws = Tensor.rand([texts ? entries.length : entries.shape[0]], { random: random ?? undefined });
    const dropped = Array.from((await draws.data()) as Float32Array, (chance) => chance < p);
    out[key] = texts
      ? entries.map((text, i) => (dropped[i] ? (val ?? '') : text))
      : replaced(entries, dropped, Number(val));
  }
  return out;
}

/** Labels with `value` where they were dropped. */
function replaced(labels: Tensor, dropped: readonly boolean[], value: number): Tensor {
  const ones = Tensor.from(Float32Array.from(dropped, Number)).to({ dtype: labels.dtype, device: labels.device });
  return ones.neg().add(1).mul(labels).add(ones.mul(value));
}
