/** Compares reported outputs with the golden ones under the rules of the cases' format. */
import type { DType, TensorData } from '../../../lib/tensor';

/** A tensor's elements in memory. */
export interface Values {
  dtype: DType;
  shape: readonly number[];
  data: TensorData;
}

/** What is allowed: one absolute error, an error per entry (tables), a rule for pictures, or nothing (exact). */
export type Allowance = number | Values | { levels: number; fraction: number } | undefined;

/** The result of one comparison. */
export interface Verdict {
  name: string;
  ok: boolean;
  /** Figures for people: the largest error and what is allowed. */
  detail: string;
  /** Largest error divided by what is allowed; NaN where that says nothing. */
  ratio: number;
}

/** How much more is allowed on a device than on the CPU. */
export function slack(device: string): number {
  return device.startsWith('cuda') ? 4 : 1;
}

/** Compares one output. `factor` widens float allowances (see {@link slack}). */
export function compareValues(
  name: string,
  actual: Values,
  expected: Values,
  allowed: Allowance,
  factor: number,
): Verdict {
  const fail = (detail: string): Verdict => ({ name, ok: false, detail, ratio: NaN });
  if (actual.shape.join() !== expected.shape.join())
    return fail(`shape [${actual.shape}] where [${expected.shape}] is expected`);
  const [a, e] = [numbers(actual), numbers(expected)];
  if (allowed !== undefined && typeof allowed === 'object' && 'levels' in allowed) return picture(name, a, e, allowed);
  if (!isFloat(expected.dtype)) return exact(name, a, e, expected.data);
  if (allowed === undefined && e.length > 0) return fail('no allowed error is given for this output');
  const limits = typeof allowed === 'object' ? numbers(allowed as Values) : undefined;
  if (limits && limits.length !== e.length) return fail(`the allowance has ${limits.length} entries for ${e.length}`);
  let worst = { error: 0, limit: ((limits?.[0] ?? (allowed as number)) || 0) * factor, ratio: 0, index: 0 };
  for (let i = 0; i < e.length; i++) {
    if (Object.is(a[i], e[i]) || a[i] === e[i] || (Number.isNaN(a[i]) && Number.isNaN(e[i]))) continue;
    const error = Math.abs(a[i] - e[i]);
    const limit = (limits?.[i] ?? (allowed as number)) * factor;
    const ratio = Number.isFinite(error) ? error / limit : Infinity;
    if (ratio > worst.ratio || !Number.isFinite(ratio)) worst = { error, limit, ratio, index: i };
    if (!Number.isFinite(ratio)) break;
  }
  const where =
    worst.ratio > 1 ? ` at [${position(worst.index, expected.shape)}]: ${a[worst.index]} for ${e[worst.index]}` : '';
  return {
    name,
    ok: worst.ratio <= 1,
    detail: `error ${figure(worst.error)}, allowed ${figure(worst.limit)}${limits ? ' (worst entry)' : ''}${where}`,
    ratio: worst.ratio,
  };
}

function exact(name: string, a: Float64Array, e: Float64Array, data: TensorData): Verdict {
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < e.length; i++) {
    if (a[i] === e[i]) continue;
    if (first < 0) first = i;
    wrong++;
  }
  const detail = wrong
    ? `${wrong} of ${e.length} values differ, first at ${first}: ${a[first]} for ${data[first]}`
    : 'equal';
  return { name, ok: wrong === 0, detail, ratio: wrong ? Infinity : 0 };
}

function picture(name: string, a: Float64Array, e: Float64Array, rule: { levels: number; fraction: number }): Verdict {
  let largest = 0;
  let differing = 0;
  for (let i = 0; i < e.length; i++) {
    const error = Math.abs(a[i] - e[i]);
    if (error > 0) differing++;
    if (error > largest) largest = error;
  }
  const fraction = e.length ? differing / e.length : 0;
  return {
    name,
    ok: largest <= rule.levels && fraction <= rule.fraction,
    detail: `${largest} levels in ${figure(fraction)} of the values, allowed ${rule.levels} in ${rule.fraction}`,
    ratio: Math.max(largest / rule.levels, fraction / rule.fraction),
  };
}

export const isFloat = (dtype: DType): boolean => dtype.includes('float');

/** Elements as float64. Golden integers are far below 2^53. */
function numbers({ data }: Values): Float64Array {
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

function position(index: number, shape: readonly number[]): string {
  const at: number[] = [];
  for (let rest = index, i = shape.length - 1; i >= 0; i--) {
    at.unshift(rest % shape[i]);
    rest = Math.floor(rest / shape[i]);
  }
  return at.join(', ');
}

const figure = (x: number): string => (x === 0 ? '0' : x.toExponential(2));
