/** Looks at the installation: what is there, what is needed, what to do. */
import type { Check } from './check';
import { checkAddon, checkCuda, checkLibtorch, probeAddon } from './native';
import { checkDisk, checkMemory, checkNode, checkPlatform } from './system';
import { checkInception, checkLpips } from './weights';

export type { Check, CheckStatus } from './check';

/** All checks. They never throw: what cannot be looked at is a finding. */
export async function examine(): Promise<Check[]> {
  const addon = await probeAddon();
  return [
    checkNode(),
    checkPlatform(),
    checkLibtorch('info' in addon),
    ...checkAddon(addon),
    checkCuda(addon),
    checkLpips(),
    checkInception(),
    checkMemory(),
    ...checkDisk(),
  ];
}

/** Whether everything that is required is there. */
export function isHealthy(checks: readonly Check[]): boolean {
  return checks.every((check) => check.status !== 'failed');
}
