/** Writes bytes and tensors one after another; a tensor's elements go from libtorch to the file without passing JavaScript. */
import type fs from 'node:fs';
import { LdmError } from '../errors';
import { toLdmError } from '../job';
import { native } from '../native';
import type { Tensor } from '../tensor';
import { ITEM_SIZE } from './mapped-tensor';

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
  async tensor(tensor: Tensor): Promise<{ crc32: number }> {
    if (this.signal?.aborted)
      throw new LdmError('ERR_ABORTED', 'The operation was aborted', { cause: this.signal.reason });
    try {
      const { bytes, crc32 } = await native().write(this.handle.fd, tensor.native);
      this.position += bytes;
      return { crc32 };
    } catch (error) {
      throw toLdmError(error);
    }
  }
}

/** Bytes of a tensor's elements. */
export function bytesOfTensor(tensor: Tensor): number {
  return tensor.numel * ITEM_SIZE[tensor.dtype];
}
