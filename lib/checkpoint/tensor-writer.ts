/** Writes bytes and tensors one after another; a tensor's elements go from libtorch to the file without passing JavaScript. */
import type fs from 'node:fs';
import { LdmError } from '../errors';
import { toLdmError } from '../job';
import { native } from '../native';
import { ITEM_SIZE } from './mapped-tensor';
import type { TensorRecipe } from './tensor-recipe';

export class TensorWriter {
  position = 0;

  constructor(
    private readonly handle: fs.promises.FileHandle,
    private readonly signal?: AbortSignal,
  ) {}

  /** Appends bytes. */
  async bytes(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) at += (await this.handle.write(data, at, data.length - at, null)).bytesWritten;
    this.position += data.length;
  }
  /** Overwrites bytes that were written before. */
  async patch(data: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < data.length; )
      at += (await this.handle.write(data, at, data.length - at, position + at)).bytesWritten;
  }
  /** Appends a tensor's elements in row-major order. Rejects with ERR_ABORTED between tensors. */
  async tensor(recipe: TensorRecipe): Promise<{ crc32: number; overflowed: number }> {
    if (this.signal?.aborted)
      throw new LdmError('ERR_ABORTED', 'The operation was aborted', { cause: this.signal.reason });
    const dtype = recipe.dtype === 'complex64' ? null : recipe.dtype;
    try {
      using made = recipe.make();
      const { bytes, crc32, overflowed } = await native().write(this.handle.fd, made.tensor.native, dtype);
      this.position += bytes;
      if (bytes !== bytesOfRecipe(recipe))
        throw new LdmError('ERR_INVALID_ARGUMENT', `Expected ${bytesOfRecipe(recipe)} bytes but wrote ${bytes}`);
      return { crc32, overflowed };
    } catch (error) {
      throw toLdmError(error);
    }
  }
}

/** Bytes of the elements that a recipe gives. */
export function bytesOfRecipe(recipe: TensorRecipe): number {
  return recipe.numel * ITEM_SIZE[recipe.dtype];
}
