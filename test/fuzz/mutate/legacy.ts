/** The stream of torch.save before 1.6 as a value, and its mutations. */
import { assemble, disassemble, type Instruction } from '../pickle-code';
import { edgeField, type FuzzRandom } from '../random';
import { mutateBytes } from './bytes';
import { mutateInstructions } from './pickle';

export interface LegacyModel {
  /** Magic number, protocol, system, object, keys. */
  pickles: Instruction[][];
  /** Each a count of 8 bytes and its elements, cut apart where the good file has them. */
  storages: Buffer[];
}

export function legacyModel(file: Buffer): LegacyModel {
  const pickles: Instruction[][] = [];
  let at = 0;
  while (pickles.length < 5) {
    const { instructions, end } = disassemble(file, at);
    pickles.push(instructions);
    at = end;
  }
  // Where a storage ends is not written; pieces between plausible counts are as good for mutations.
  const storages: Buffer[] = [];
  let from = at;
  for (let i = at + 8; i + 8 <= file.length; i++) {
    const count = file.readBigUInt64LE(i);
    if (count > 0n && count < 256n && file.readBigUInt64LE(from) > 0n && i - from >= 9) {
      storages.push(file.subarray(from, i));
      from = i;
    }
  }
  storages.push(file.subarray(from));
  return { pickles, storages };
}

export function writeLegacy({ pickles, storages }: LegacyModel): Buffer {
  return Buffer.concat([...pickles.map(assemble), ...storages]);
}

export function mutateLegacy(model: LegacyModel, random: FuzzRandom): void {
  const { pickles, storages } = model;
  const at = random.below(storages.length);
  switch (random.below(9)) {
    case 0:
      pickles.splice(random.below(pickles.length), 1);
      break;
    case 1:
      pickles.splice(random.below(pickles.length), 0, random.pick(pickles));
      break;
    case 2:
      storages[at] = Buffer.concat([edgeField(random, 8), storages[at].subarray(8)]);
      break;
    case 3:
      storages[at] = mutateBytes(storages[at], random);
      break;
    case 4:
      storages.splice(at, 1, random.pick(storages));
      break;
    default: {
      const which = random.chance(0.7) ? Math.min(3, pickles.length - 1) : random.below(pickles.length);
      const copy = [...pickles[which]];
      mutateInstructions(copy, random);
      pickles[which] = copy;
    }
  }
  if (storages.length === 0) storages.push(Buffer.alloc(8));
}
