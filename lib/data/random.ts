/**
 * Pseudo-random numbers of the data pipeline. Every sample has a generator of its own, derived from (seed, epoch, index),
 * so that order and augmentation do not depend on which image is decoded first. Algorithm: sfc32 (PractRand's "small fast
 * counting" generator) with its state filled by the MurmurHash3 finalizer.
 */

/** A stream of numbers; two of the same key are equal. */
export class DataRandom {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;
  /** The integers that name the stream. */
  readonly key: readonly number[];

  /** @param key integers that name the stream, such as seed, epoch and index */
  constructor(...key: number[]) {
    this.key = key;
    let h = 0x9e3779b9;
    const word = (value: number) => {
      h = mix((h ^ value) >>> 0);
      return h;
    };
    // Both halves of a number count: seeds above 2^32 differ.
    for (const k of key) {
      word(k >>> 0);
      word(Math.floor(k / 0x1_0000_0000) >>> 0);
    }
    this.#a = word(1);
    this.#b = word(2);
    this.#c = word(3);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** A stream of its own that this one names: what draws from either does not change the other. */
  child(index: number): DataRandom {
    return new DataRandom(...this.key, index);
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    this.#c |= 0;
    return t >>> 0;
  }

  /** A number in [0, 1). */
  uniform(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** The numbers 0..n-1 in random order (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

function mix(value: number): number {
  let h = (value + 0x9e3779b9) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
