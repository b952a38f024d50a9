/**
 * The first key that an object of a JSON text has twice, or undefined. JSON.parse silently keeps the last one, which lets
 * a file show different tensors to different readers. The text must be valid JSON. Works without recursion.
 */
export function findDuplicateKey(json: string): string | undefined {
  const open: (Set<string> | null)[] = []; // keys of each open object; null for an array
  let expectKey = false;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '{') {
      open.push(new Set());
      expectKey = true;
    } else if (c === '[') {
      open.push(null);
      expectKey = false;
    } else if (c === '}' || c === ']') {
      open.pop();
      expectKey = false;
    } else if (c === ',') {
      expectKey = open.at(-1) instanceof Set;
    } else if (c === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
      const keys = open.at(-1);
      if (expectKey && keys) {
        const key: string = JSON.parse(json.slice(start, i + 1));
        if (keys.has(key)) return key;
        keys.add(key);
        expectKey = false;
      }
    }
  }
  return undefined;
}
