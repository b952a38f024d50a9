/**
 * Elements of the lists at the top of a large JSON file, one by one: COCO's annotations are longer than a JavaScript string
 * may be. Each element is handed over as text, so that what is not needed is never parsed.
 */
import fs from 'node:fs';

const CHUNK = 1 << 20;

/**
 * Calls `element` for each element of the lists `{"key": [element, ...], ...}`.
 * @param element its text, and the key of its list; only for keys in `keys`
 * @returns the keys that were found as lists
 */
export function forEachElement(
  file: string,
  keys: ReadonlySet<string>,
  element: (text: string, key: string) => void,
): Set<string> {
  const scanner = new Scanner(keys, element);
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(CHUNK);
    for (let n = fs.readSync(fd, buffer); n > 0; n = fs.readSync(fd, buffer)) scanner.push(buffer.subarray(0, n));
  } finally {
    fs.closeSync(fd);
  }
  return scanner.found;
}

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COMMA, COLON] = Buffer.from('"\\{}[],:');

/** Follows strings and brackets only; what stands between them is for JSON.parse to judge. */
class Scanner {
  readonly found = new Set<string>();
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the element, or of the string at depth 1, that earlier chunks hold. */
  #kept: Buffer[] = [];
  /** Where the element or string begins in this chunk; -1: none is being read. */
  #start = -1;
  #text = '';
  #key = '';
  #listed = false;

  constructor(
    private readonly keys: ReadonlySet<string>,
    private readonly element: (text: string, key: string) => void,
  ) {}

  push(chunk: Buffer): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          if (this.#depth === 1) this.#text = this.#take(chunk, i);
        }
      } else if (byte === QUOTE) {
        this.#inString = true;
        if (this.#depth === 1) this.#start = i + 1;
      } else if (byte === COLON && this.#depth === 1) this.#key = this.#text;
      else if (byte === OPEN || byte === OPEN_LIST) {
        this.#depth++;
        if (this.#depth === 2 && byte === OPEN_LIST && this.keys.has(this.#key)) {
          this.#listed = true;
          this.found.add(this.#key);
          this.#start = i + 1;
        }
      } else if (byte === CLOSE || byte === CLOSE_LIST) {
        if (this.#depth === 2 && this.#listed) {
          this.#emit(this.#take(chunk, i));
          this.#listed = false;
        }
        this.#depth--;
      } else if (byte === COMMA && this.#depth === 2 && this.#listed) {
        this.#emit(this.#take(chunk, i));
        this.#start = i + 1;
      }
    }
    if (this.#start >= 0) {
      this.#kept.push(Buffer.from(chunk.subarray(this.#start)));
      this.#start = 0;
    }
  }

  #take(chunk: Buffer, end: number): string {
    const last = chunk.subarray(this.#start, end);
    const text = (this.#kept.length > 0 ? Buffer.concat([...this.#kept, last]) : last).toString('utf8');
    this.#kept = [];
    this.#start = -1;
    return text;
  }

  #emit(text: string): void {
    if (text.trim() !== '') this.element(text, this.#key);
  }
}
