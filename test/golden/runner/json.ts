/** The JSON of meta.json: an infinity is {"$float": "inf"}, NaN is null. */
import fs from 'node:fs';

/** Reads a JSON file with infinities as numbers. */
export function readJson(file: string): any {
  return JSON.parse(fs.readFileSync(file, 'utf8'), (_key, value) => {
    const special = value !== null && typeof value === 'object' ? value.$float : undefined;
    return special === 'inf' ? Infinity : special === '-inf' ? -Infinity : value;
  });
}

/** A text by which two plain values can be compared: keys sorted, NaN as null, integers however they are held. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, v) => {
    if (typeof v === 'bigint') return Number.isSafeInteger(Number(v)) ? Number(v) : String(v);
    if (v === Infinity || v === -Infinity) return { $float: v > 0 ? 'inf' : '-inf' };
    if (ArrayBuffer.isView(v)) return Array.from(v as unknown as ArrayLike<number>);
    if (v !== null && typeof v === 'object' && !Array.isArray(v))
      return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)));
    return v;
  });
}
