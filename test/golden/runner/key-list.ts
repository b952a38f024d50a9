/** The names and shapes of a state_dict in one line each, as cases with many models keep them: how many, and their hash. */
import { createHash } from 'node:crypto';
import type { Module } from '../../../lib/models';

export async function keyList(module: Module): Promise<{ count: number; sha256: string }> {
  const lines = [...(await module.stateDict())].map(([name, tensor]) => `${name} [${tensor.shape.join(', ')}]`);
  return { count: lines.length, sha256: createHash('sha256').update(lines.join('\n')).digest('hex') };
}
