/** A small seeded generator (splitmix32): the input of a seed and a number is always the same. */
export class FuzzRandom {
  #state: number;

  constructor(seed: number, stream = 0) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0;
    this.bits();
    this.bits();
  }
  /** 32 random bits. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.bits() / 2 ** 32) * n);
  }
  chance(p: number): boolean {
    return this.bits() < p * 2 ** 32;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
  bytes(n: number): Buffer {
    return Buffer.from(Array.from({ length: n }, () => this.below(256)));
  }
}

/** Integers at the edges of what fields hold. */
const EDGES = [
  0,
  1,
  2,
  3,
  4,
  7,
  8,
  16,
  64,
  100,
  127,
  128,
  255,
  256,
  1000,
  32767,
  32768,
  65535,
  65536,
  1 << 20,
  1 << 24,
];
const WIDE = [31, 32, 33, 40, 53, 62, 63, 64].flatMap((n) => [2n ** BigInt(n) - 1n, 2n ** BigInt(n)]);

/** An integer that a careless reader trips over. */
export function edgeInteger(random: FuzzRandom): bigint {
  const value = random.chance(0.7) ? BigInt(random.pick(EDGES)) : random.pick(WIDE);
  return random.chance(0.15) ? -value : value;
}

/** The same, cut to an unsigned field of some bytes. */
export function edgeField(random: FuzzRandom, bytes: 1 | 2 | 4 | 8): Buffer {
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(BigInt.asUintN(64, edgeInteger(random)));
  return field.subarray(0, bytes);
}
