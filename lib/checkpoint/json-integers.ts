/** JSON.stringify that writes bigints as plain integers, exactly: sums of int64 tensors go beyond 2^53. */
export function stringifyExact(value: unknown, indent?: number): string {
  // Private-use characters mark the places; JSON leaves them as they are, and no name in a file keeps them (see below).
  const [open, close] = ['\uE000', '\uE001'];
  const text = JSON.stringify(
    value,
    (_key, v) => {
      if (typeof v === 'bigint') return `${open}${v}${close}`;
      return typeof v === 'string' ? v.replace(/[\uE000\uE001]/g, '\uFFFD') : v;
    },
    indent,
  );
  return text.replace(/"\uE000(-?\d+)\uE001"/g, '$1');
}
