/** Shuffles a sequence that is too long for memory: each item leaves a buffer of the next ones at random. */
import type { DataRandom } from './random';

/** The items in another order; with `size` 0 in their own. */
export async function* shuffled<T>(items: AsyncIterable<T>, size: number, random: DataRandom): AsyncGenerator<T> {
  const buffer: T[] = [];
  for await (const item of items) {
    if (buffer.length < size) {
      buffer.push(item);
      continue;
    }
    if (size === 0) {
      yield item;
      continue;
    }
    const at = random.below(size);
    yield buffer[at];
    buffer[at] = item;
  }
  for (const at of random.permutation(buffer.length)) yield buffer[at];
}
