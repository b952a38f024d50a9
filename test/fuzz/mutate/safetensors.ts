/** safetensors files as text and data, and mutations of the text piece by piece. */
import { edgeField, edgeInteger, type FuzzRandom } from '../random';
import { mutateBytes } from './bytes';

export interface SafetensorsModel {
  header: Buffer;
  data: Buffer;
  /** In place of the header's length. */
  length?: Buffer;
}

export function safetensorsModel(file: Buffer): SafetensorsModel {
  const end = 8 + Number(file.readBigUInt64LE());
  return { header: file.subarray(8, end), data: file.subarray(end) };
}

export function writeSafetensorsModel({ header, data, length }: SafetensorsModel): Buffer {
  const right = Buffer.alloc(8);
  right.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length ?? right, header, data]);
}

const JSON_PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '""',
  '"a"',
  'null',
  'true',
  '-1',
  '1e400',
  '0.5',
  '"F32"',
  '"F8_E4M3"',
  '"__metadata__"',
  '"__proto__"',
  '"\\u0061"',
  '"\\ud800"',
  '[[[[[[[[',
  '\ufeff',
  '\\',
  '"dtype"',
  '"shape"',
  '"data_offsets"',
];

export function mutateSafetensors(model: SafetensorsModel, random: FuzzRandom): void {
  const text = model.header.toString('latin1');
  const tokens = text.match(/"(?:[^"\\]|\\.)*"?|[^"{}[\],:\s]+|[{}[\],:]|\s+/g) ?? [''];
  const numbers = [...tokens.keys()].filter((i) => /^-?\d/.test(tokens[i]));
  const at = random.below(tokens.length);
  switch (random.below(9)) {
    case 0:
    case 1:
      if (numbers.length > 0) tokens[random.pick(numbers)] = String(edgeInteger(random));
      break;
    case 2:
      tokens[at] = random.pick(JSON_PIECES);
      break;
    case 3:
      tokens.splice(at, 0, random.pick(JSON_PIECES));
      break;
    case 4:
      tokens.splice(at, random.pick([1, 2, 10]));
      break;
    case 5: {
      // an entry once more, or a piece of one
      const from = random.below(tokens.length);
      tokens.splice(at, 0, ...tokens.slice(from, from + random.pick([1, 5, 17])));
      break;
    }
    case 6: {
      const other = random.below(tokens.length);
      [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
      break;
    }
    case 7:
      model.data = mutateBytes(model.data, random);
      return;
    default:
      model.length = edgeField(random, 8);
      return;
  }
  model.header = Buffer.from(tokens.join(''), 'latin1');
}
