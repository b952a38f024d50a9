/** The `remap` of a codebook: a file in configs, a tensor for the native side. */
import type { ResolvedParams } from '../config';
import type { NativeValue } from '../native';
import { readIndexArray } from './npy';

/**
 * Calls `create` with params whose `remap` file, if there is one, has been read.
 * @throws LdmError ERR_FILE, ERR_DATA for a file that is missing or no vector of indices
 */
export async function withRemap<T>(params: ResolvedParams, create: (params: NativeValue) => Promise<T>): Promise<T> {
  if (!params.remap) return await create(params as NativeValue);
  using remap = await readIndexArray(params.remap as string);
  return await create({ ...params, remap: remap.native } as NativeValue);
}
