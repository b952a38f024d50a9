/** Writing of safetensors files; the layout is the official library's: data in the order of size of dtype, then of name. */
import { LdmError } from '../errors';
import type { Tensor } from '../tensor';
import { writeAtomically } from './atomic';
import { ITEM_SIZE } from './mapped-tensor';
import { safetensorsDType } from './safetensors';
import { bytesOfTensor, TensorWriter } from './tensor-writer';

export interface WriteOptions {
  /** Stops between two tensors; nothing is left behind. */
  signal?: AbortSignal;
}

/**
 * Writes tensors, and optional text metadata, to a safetensors file. The file appears whole or not at all.
 * @throws LdmError ERR_FILE when it cannot be written, ERR_ABORTED
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: WriteOptions & { metadata?: Record<string, string> } = {},
): Promise<void> {
  const header: Record<string, unknown> = Object.create(null); // any name is only a name, `__proto__` too
  if (options.metadata) header.__metadata__ = options.metadata;
  // Larger elements first keeps every tensor aligned to its element size.
  const order = [...tensors].sort(
    ([a, t], [b, u]) => ITEM_SIZE[u.dtype] - ITEM_SIZE[t.dtype] || (a < b ? -1 : a > b ? 1 : 0),
  );
  let at = 0;
  if (tensors.has('__metadata__'))
    throw new LdmError('ERR_INVALID_ARGUMENT', "Expected another name than '__metadata__', which safetensors reserves");
  for (const [name, tensor] of order) {
    const end = at + bytesOfTensor(tensor);
    header[name] = { dtype: safetensorsDType(tensor.dtype), shape: tensor.shape, data_offsets: [at, end] };
    at = end;
  }
  let text = Buffer.from(JSON.stringify(header));
  text = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeAtomically(file, async (handle) => {
    const writer = new TensorWriter(handle, options.signal);
    await writer.bytes(length);
    await writer.bytes(text);
    for (const [, tensor] of order) await writer.tensor(tensor);
  });
}
