/** How mistakes in configs are told: one line each, with file, line and key path, and a suggestion where there is one. */
import { LdmError } from '../errors';
import { type ConfigNode, formatPath, formatPosition, type KeyPath, type Position, positionAt } from './node';

/** A mistake, before it is known in which file the value was written. */
export interface Problem {
  path: KeyPath;
  message: string;
}

const SHOWN = 12;

/** One ERR_CONFIG error of all problems. `root` is the tree that the paths start from, when it is known. */
export function configError(problems: readonly Problem[], root?: ConfigNode): LdmError {
  const lines = problems.map((problem) => {
    const key = formatPath(problem.path);
    const text = key === '' ? problem.message : `${key}: ${problem.message}`;
    return root ? `${formatPosition(positionAt(root, problem.path))}: ${text}` : text;
  });
  if (lines.length === 1) return new LdmError('ERR_CONFIG', lines[0]!);
  const shown = lines.slice(0, SHOWN).map((line) => `  ${line}`);
  if (lines.length > SHOWN) shown.push(`  and ${lines.length - SHOWN} more`);
  return new LdmError('ERR_CONFIG', `${lines.length} problems in the config:\n${shown.join('\n')}`);
}

/** An ERR_CONFIG error about one place. */
export function errorAt(at: Position, message: string, cause?: unknown): LdmError {
  return new LdmError('ERR_CONFIG', `${formatPosition(at)}: ${message}`, { cause });
}

/** A value as an error message shows it: short, strings quoted. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  const text = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)) ?? String(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  if (Array.isArray(value)) return `the list ${short}`;
  return typeof value === 'object' && value !== null ? `the mapping ${short}` : short;
}
