/** A forward reader of bytes with strict bounds: what a pickle is read from. */
import fs from 'node:fs';

/** Thrown when more bytes are announced than there are. */
export class OutOfBytes extends Error {}

export interface ByteSource {
  /** Bytes consumed so far. */
  readonly position: number;
  byte(): number;
  /** The next `n` bytes; valid until the next call. */
  bytes(n: number): Buffer;
  /** The text before the next newline, which is consumed. */
  line(): string;
}

/** Longest line of a protocol 0 pickle that is accepted. */
const LONGEST_LINE = 1 << 20;

/** Reads from memory. */
export class BufferSource implements ByteSource {
  position = 0;
  constructor(private readonly buffer: Buffer) {}

  byte(): number {
    if (this.position >= this.buffer.length) throw new OutOfBytes();
    return this.buffer[this.position++];
  }
  bytes(n: number): Buffer {
    if (n > this.buffer.length - this.position) throw new OutOfBytes();
    this.position += n;
    return this.buffer.subarray(this.position - n, this.position);
  }
  line(): string {
    const end = this.buffer.indexOf(10, this.position);
    if (end < 0 || end - this.position > LONGEST_LINE) throw new OutOfBytes();
    const text = this.buffer.toString('utf8', this.position, end);
    this.position = end + 1;
    return text;
  }
}

/** Reads from a file through a window, so that pickles at the head of a large file cost little memory. */
export class FileSource implements ByteSource {
  #window = Buffer.alloc(0);
  #at = 0;
  #windowStart = 0;

  /**
   * @param size bytes of the file
   * @param longest bytes that one item may have
   */
  constructor(
    private readonly fd: number,
    private readonly size: number,
    private readonly longest: number,
  ) {}

  get position(): number {
    return this.#windowStart + this.#at;
  }
  /** Whether the file goes on. */
  get remaining(): number {
    return this.size - this.position;
  }
  byte(): number {
    this.#need(1);
    return this.#window[this.#at++];
  }
  bytes(n: number): Buffer {
    this.#need(n);
    this.#at += n;
    return this.#window.subarray(this.#at - n, this.#at);
  }
  line(): string {
    for (let length = 64; ; length *= 2) {
      const available = Math.min(length, this.remaining);
      this.#need(available);
      const end = this.#window.indexOf(10, this.#at);
      if (end >= 0 && end < this.#at + available) {
        const text = this.#window.toString('utf8', this.#at, end);
        this.#at = end + 1;
        return text;
      }
      if (available < length || length > LONGEST_LINE) throw new OutOfBytes();
    }
  }
  /** Moves forward without reading. */
  skip(n: number): void {
    if (n > this.remaining) throw new OutOfBytes();
    if (n <= this.#window.length - this.#at) {
      this.#at += n;
      return;
    }
    this.#windowStart = this.position + n;
    this.#window = Buffer.alloc(0);
    this.#at = 0;
  }

  #need(n: number): void {
    if (n <= this.#window.length - this.#at) return;
    if (n > this.remaining || n > this.longest) throw new OutOfBytes();
    const start = this.position;
    const length = Math.min(Math.max(n, 1 << 16), this.size - start);
    const next = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const got = fs.readSync(this.fd, next, filled, length - filled, start + filled);
      if (got === 0) break;
      filled += got;
    }
    if (filled < n) throw new OutOfBytes();
    this.#window = next.subarray(0, filled);
    this.#windowStart = start;
    this.#at = 0;
  }
}
