/** What one check of the installation finds. */

/**
 * - `ok`: as it should be
 * - `optional`: missing or short, but only some things need it
 * - `failed`: nothing works without it
 */
export type CheckStatus = 'ok' | 'optional' | 'failed';

export interface Check {
  /** What was looked at, such as 'libtorch'. */
  name: string;
  status: CheckStatus;
  found: string;
  required: string;
  /** What to do; only where something is missing. */
  remedy?: string;
}
