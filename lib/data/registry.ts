/** Data sets by the target string of configs. */
import type { ResolvedNode } from '../config';
import { LdmError } from '../errors';
import type { Dataset, IterableDataset } from './dataset';

/** Opens a data set; `params` are complete (the schemas in lib/config/targets have the defaults). Reads lists, no image. */
export type OpenDataset<Params> = (params: Params) => Dataset | IterableDataset;

const known = new Map<string, OpenDataset<never>>();

/** Makes a data set known; its file has to be imported by sets/index.ts. */
export function registerDataset<Params>(targets: string | readonly string[], open: OpenDataset<Params>): void {
  for (const target of typeof targets === 'string' ? [targets] : targets) known.set(target, open as OpenDataset<never>);
}

/**
 * Opens the data set that a resolved node names.
 * @throws LdmError ERR_UNKNOWN_TARGET for one whose files this library cannot read, and what the data set itself reports
 */
export function openDataset(node: ResolvedNode): Dataset | IterableDataset {
  const open = known.get(node.target);
  if (!open)
    throw new LdmError(
      'ERR_UNKNOWN_TARGET',
      `The data set ${node.target} cannot be read. Known: ${[...known.keys()].join(', ')}. To train on a folder of images, replace the data section with --data DIR.`,
    );
  return open(node.params as never);
}
