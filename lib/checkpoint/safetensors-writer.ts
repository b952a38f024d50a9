/** Writing of safetensors files; elements of larger size come first, which keeps every tensor aligned. */
import { LdmError } from '../errors';
import type { Tensor } from '../tensor';
import { writeAtomically } from './atomic';
import { ITEM_SIZE } from './mapped-tensor';
import { safetensorsDType } from './safetensors';
import { type TensorRecipe, toRecipe } from './tensor-recipe';
import { bytesOfRecipe, TensorWriter } from './tensor-writer';

export interface WriteOptions {
  /** Stops between two tensors; nothing is left behind. */
  signal?: AbortSignal;
  /** Called after each tensor. `overflowed`: finite values that a cast made infinite. */
  onTensor?: (name: string, overflowed: number) => void;
}

export interface SafetensorsOptions extends WriteOptions {
  metadata?: Record<string, string>;
  /** Order of tensors of one element size: by name as the official library writes them (default), or as given. */
  order?: 'name' | 'given';
}

/**
 * Writes tensors, and optional text metadata, to a safetensors file. The file appears whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written, ERR_ABORTED
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Tensor | TensorRecipe>,
  options: SafetensorsOptions = {},
): Promise<void> {
  const order = inOrder(tensors, options.order ?? 'name');
  const header = headerOf(order, options.metadata);
  await writeAtomically(file, async (handle) => {
    const writer = new TensorWriter(handle, options.signal);
    await writer.bytes(header);
    for (const [name, recipe] of order) {
      const { overflowed } = await writer.tensor(recipe);
      options.onTensor?.(name, overflowed);
    }
  });
}

function inOrder(
  tensors: ReadonlyMap<string, Tensor | TensorRecipe>,
  order: 'name' | 'given',
): [string, TensorRecipe][] {
  const entries = [...tensors].map(([name, value]): [string, TensorRecipe] => [name, toRecipe(value)]);
  const byName = (a: string, b: string) => (order === 'given' || a === b ? 0 : a < b ? -1 : 1);
  return entries.sort(([a, t], [b, u]) => ITEM_SIZE[u.dtype] - ITEM_SIZE[t.dtype] || byName(a, b));
}

/** Length and JSON, padded so that the data begins at a multiple of 8 bytes. */
function headerOf(order: readonly [string, TensorRecipe][], metadata?: Record<string, string>): Buffer {
  const header: Record<string, unknown> = Object.create(null); // any name is only a name, `__proto__` too
  if (metadata) header.__metadata__ = metadata;
  let at = 0;
  for (const [name, recipe] of order) {
    if (name === '__metadata__')
      throw new LdmError('ERR_INVALID_ARGUMENT', `Expected another name than '${name}', which safetensors reserves`);
    const end = at + bytesOfRecipe(recipe);
    header[name] = { dtype: safetensorsDType(recipe.dtype), shape: recipe.shape, data_offsets: [at, end] };
    at = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padding = Buffer.alloc((8 - (text.length % 8)) % 8, ' ');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length + padding.length));
  return Buffer.concat([length, text, padding]);
}
