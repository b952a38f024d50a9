/** Random draws of a degradation, all from one stream, under the names of Python's `random` and `numpy.random`. */
import type { DataRandom } from '../random';

/** A number in [from, to). */
export function uniform(random: DataRandom, from: number, to: number): number {
  return from + (to - from) * random.uniform();
}

/** An integer from `from` to `to`, both included. */
export function randint(random: DataRandom, from: number, to: number): number {
  return from + random.below(to - from + 1);
}

/** One of several. */
export function choice<T>(random: DataRandom, values: readonly T[]): T {
  return values[random.below(values.length)];
}

/** All of them in random order. */
export function permuted<T>(random: DataRandom, values: readonly T[]): T[] {
  return [...random.permutation(values.length)].map((i) => values[i]);
}

/** Independent numbers of the standard normal distribution (Box and Muller 1958). */
export function normals(random: DataRandom, count: number): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
    const angle = 2 * Math.PI * random.uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** A number of events of which `mean` are expected. */
export function poisson(random: DataRandom, mean: number): number {
  return mean < 10 ? poissonByProducts(random, mean) : poissonByRejection(random, mean);
}

/** Knuth: events come one after another until their time is over. */
function poissonByProducts(random: DataRandom, mean: number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++;
  return count;
}

/** Hormann 1993, "The transformed rejection method for generating Poisson random variables", algorithm PTRS. */
function poissonByRejection(random: DataRandom, mean: number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const acceptedAtOnce = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = random.uniform() - 0.5;
    const v = random.uniform();
    const margin = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / margin + b) * u + mean + 0.43);
    if (margin >= 0.07 && v <= acceptedAtOnce) return k;
    if (k < 0 || (margin < 0.013 && v > margin)) continue;
    const bound = -mean + k * Math.log(mean) - logFactorial(k);
    if (Math.log((v * inverseAlpha) / (a / (margin * margin) + b)) <= bound) return k;
  }
}

/** log(k!), by Stirling's series where a sum would be long. */
function logFactorial(k: number): number {
  if (k < 16) {
    let product = 1;
    for (let i = 2; i <= k; i++) product *= i;
    return Math.log(product);
  }
  return (k + 0.5) * Math.log(k) - k + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * k) - 1 / (360 * k ** 3);
}
