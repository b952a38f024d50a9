/**
 * What is checked in the JSON header of a safetensors file before JSON.parse builds it: JSON.parse would keep the last of
 * two equal keys, which lets a file show different tensors to different readers, and would build whatever it is told to.
 */

/** A header is an object of objects with lists of numbers. */
const DEEPEST = 3;
/** Most objects and lists, and most values; ten thousand tensors have 30,000 and 100,000. */
const MOST_CONTAINERS = 300_000;
const MOST_VALUES = 1_000_000;

/** What is wrong with a text that should be the JSON of a header, or undefined. Works without recursion. */
export function checkJsonShape(json: string): string | undefined {
  const open: (Set<string> | null)[] = []; // keys of each open object; null for a list
  let expectKey = false;
  let containers = 0;
  let values = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '{' || c === '[') {
      open.push(c === '{' ? new Set() : null);
      expectKey = c === '{';
      if (open.length > DEEPEST) return `is nested more than ${DEEPEST} deep`;
      if (++containers > MOST_CONTAINERS) return 'has more entries than any checkpoint';
    } else if (c === '}' || c === ']') {
      open.pop();
      expectKey = false;
    } else if (c === ',') {
      expectKey = open.at(-1) instanceof Set;
      if (++values > MOST_VALUES) return 'has more entries than any checkpoint';
    } else if (c === '"') {
      const start = i;
      for (i++; i < json.length && json[i] !== '"'; i++) if (json[i] === '\\') i++;
      const keys = open.at(-1);
      if (!expectKey || !keys) continue;
      const raw = json.slice(start + 1, i);
      const key: string = raw.includes('\\') ? JSON.parse(`"${raw}"`) : raw;
      if (keys.has(key)) return `names '${key.slice(0, 80)}' twice`;
      keys.add(key);
      expectKey = false;
    }
  }
  return undefined;
}
