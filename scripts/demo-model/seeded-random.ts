/** Reproducible choices: mulberry32, a generator of 32 bits of state; the same seed gives the same data set everywhere. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + (to - from) * this.uniform();
  }

  /** `count` different elements. */
  pick<T>(from: readonly T[], count: number): T[] {
    const rest = [...from];
    return Array.from({ length: count }, () => rest.splice(Math.floor(this.uniform() * rest.length), 1)[0]);
  }
}
