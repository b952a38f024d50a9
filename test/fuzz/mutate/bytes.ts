/** Mutations that know nothing of the format. */
import { edgeField, type FuzzRandom } from '../random';

/** A changed copy. */
export function mutateBytes(data: Buffer, random: FuzzRandom): Buffer {
  const at = random.below(data.length + 1);
  const length = Math.min(random.pick([1, 2, 4, 8, 64, 1024]), data.length - at);
  const splice = (removed: number, inserted: Buffer) =>
    Buffer.concat([data.subarray(0, at), inserted, data.subarray(at + removed)]);
  switch (random.below(7)) {
    case 0: {
      const copy = Buffer.from(data);
      for (let n = random.pick([1, 1, 2, 8]); n > 0 && copy.length > 0; n--)
        copy[random.below(copy.length)] ^= 1 << random.below(8);
      return copy;
    }
    case 1: {
      const field = edgeField(random, random.pick([1, 2, 4, 8] as const));
      return splice(Math.min(field.length, data.length - at), field);
    }
    case 2:
      return splice(length, Buffer.alloc(0));
    case 3:
      return splice(0, random.bytes(random.pick([1, 4, 16])));
    case 4:
      return data.subarray(0, at);
    case 5: {
      const from = random.below(data.length + 1);
      return splice(0, data.subarray(from, from + length));
    }
    default:
      return Buffer.concat([data, random.bytes(random.pick([1, 7, 100]))]);
  }
}
