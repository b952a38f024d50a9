/** Turns what zod found into problems as this library tells them: what was expected, what was received. */
import type { z } from 'zod';
import { type Problem, show } from './problems';
import { didYouMean } from './suggest';

const TYPE_NAMES: Record<string, string> = {
  int: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'null',
};

/**
 * @param input the value that was checked
 * @param known the keys that unknown ones are compared with
 */
export function explain(issues: readonly z.core.$ZodIssue[], input: unknown, known: readonly string[]): Problem[] {
  return issues.flatMap((issue) => explainIssue(issue, input, known));
}

function explainIssue(issue: z.core.$ZodIssue, input: unknown, known: readonly string[]): Problem[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], input);
  const expected = (text: string, hint = ''): Problem[] => {
    const found = value === undefined ? `missing; expected ${text}` : `expected ${text}, received ${show(value)}`;
    return [{ path, message: hint ? `${found}.${hint}` : found }];
  };
  // Some schemas say themselves what they expect.
  if (issue.code !== 'custom' && issue.message.startsWith('expected '))
    return expected(issue.message.slice('expected '.length));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: `unknown key.${suggestKey(key, known)}` }));
    case 'invalid_type':
      return expected(TYPE_NAMES[issue.expected] ?? issue.expected);
    case 'invalid_value': {
      const words = issue.values.map((word) => show(word));
      const hint = typeof value === 'string' ? didYouMean(value, issue.values.map(String)) : '';
      return expected(words.length === 1 ? words[0]! : `one of ${words.join(', ')}`, hint);
    }
    case 'too_small':
      return expected(bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum));
    case 'too_big':
      return expected(bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum));
    default:
      return [{ path, message: issue.message }];
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'array') return `a list of ${relation} ${limit} values`;
  return `a number of ${relation} ${limit}`;
}

/** ' Did you mean "x"?', or the list of what there is. */
export function suggestKey(key: string, known: readonly string[]): string {
  if (known.length === 0) return ' It takes no keys';
  return didYouMean(key, known) || ` Known keys: ${[...known].sort().join(', ')}`;
}
