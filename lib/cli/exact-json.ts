/**
 * JSON.stringify that writes bigints as integers, digit by digit: sums of int64 tensors go beyond 2^53. Numbers that JSON
 * does not have (NaN, infinities) become text.
 */
export function exactJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, replace, indent);
  return text.replace(BIGINT, '$1');
}

/** Private-use characters mark the bigints; text of files cannot fake them because it loses them. */
const [OPEN, CLOSE] = ['\uE000', '\uE001'];
const BIGINT = new RegExp(`"${OPEN}(-?\\d+)${CLOSE}"`, 'g');

function replace(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${OPEN}${value}${CLOSE}`;
  if (typeof value === 'string') return value.replace(/[\uE000\uE001]/g, '\uFFFD');
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
