/**
 * Layouts that people write: a JSON list of objects with class and box, and their tokens for a layout-to-image model.
 *
 *     [{ "class": "Dog", "box": [0.1, 0.4, 0.35, 0.5] }, { "class": "Tree", "box": [0.5, 0, 0.5, 0.9], "group": true }]
 */
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { LdmError } from '../../errors';
import { forEachRow } from '../csv';
import type { BoundingBox } from './annotation';
import { ObjectsBoundingBoxConditionalBuilder } from './conditional-builder';

const part = z.number().min(0).max(1);
const flag = z.boolean().default(false);
const layoutSchema = z
  .array(
    z.strictObject({
      /** Name of the class, or its number. */
      class: z.union([z.string(), z.int().nonnegative()]),
      /** Left, top, width and height as parts of the picture. */
      box: z.tuple([part, part, part, part]),
      group: flag,
      occluded: flag,
      depiction: flag,
      inside: flag,
    }),
  )
  .min(1);

/** One object of a layout. */
export interface LayoutObject {
  category_no: number;
  name: string;
  bbox: BoundingBox;
  is_group_of: boolean;
  is_occluded: boolean;
  is_depiction: boolean;
  is_inside: boolean;
}

/** Names of the classes of the official layout-to-image model, by number. */
export function openImagesLayoutClasses(): string[] {
  const names: string[] = [];
  const file = path.join(__dirname, '../../../models/open-images/layout-classes.csv');
  forEachRow(file, ([, name]) => names.push(name));
  return names;
}

/**
 * Reads a layout.
 * @param classes names by number
 * @throws LdmError ERR_DATA for a file that is no layout, or names a class that is not there
 */
export function readLayout(file: string, classes: readonly string[]): LayoutObject[] {
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new LdmError('ERR_DATA', `Cannot read the layout ${file}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = layoutSchema.safeParse(value);
  if (!parsed.success) {
    const { path: at, message } = parsed.error.issues[0];
    throw new LdmError(
      'ERR_DATA',
      `${file} is no layout: at ${at.join('.') || 'its beginning'}: ${message}. Expected a list such as [{"class": "Dog", "box": [0.1, 0.4, 0.35, 0.5]}] with left, top, width and height as parts of the picture.`,
    );
  }
  return parsed.data.map((object) => {
    const number = numberOf(object.class, classes, file);
    return {
      category_no: number,
      name: classes[number],
      bbox: object.box,
      is_group_of: object.group,
      is_occluded: object.occluded,
      is_depiction: object.depiction,
      is_inside: object.inside,
    };
  });
}

function numberOf(wanted: string | number, classes: readonly string[], file: string): number {
  const number =
    typeof wanted === 'number' ? wanted : classes.findIndex((name) => name.toLowerCase() === wanted.toLowerCase());
  if (number >= 0 && number < classes.length) return number;
  const text = String(wanted).toLowerCase();
  const similar = classes.filter((name) => name.toLowerCase().includes(text)).slice(0, 8);
  const known =
    similar.length > 0 ? `Similar: ${similar.join(', ')}` : `Known: ${classes.slice(0, 12).join(', ')}, ...`;
  throw new LdmError(
    'ERR_DATA',
    `${file} has an object of the class '${wanted}', which is none of ${classes.length}. ${known}.`,
  );
}

/**
 * The builder of a model's sequences: three tokens for an object, and two for the cut where the length says so.
 * @param sequence the conditioning stage's max_seq_len and vocab_size
 */
export function layoutBuilder(
  classes: readonly string[],
  sequence: { max_seq_len: number; vocab_size: number },
): ObjectsBoundingBoxConditionalBuilder {
  const encode_crop = sequence.max_seq_len % 3 === 2;
  return new ObjectsBoundingBoxConditionalBuilder({
    no_object_classes: classes.length,
    no_max_objects: Math.floor(sequence.max_seq_len / 3),
    no_tokens: sequence.vocab_size,
    encode_crop,
    use_group_parameter: true,
    use_additional_parameters: true,
  });
}

/**
 * Tokens of a whole picture's layout, its objects in the given order.
 * @throws LdmError ERR_DATA for too many objects, or a class that has no token
 */
export function layoutTokens(
  objects: readonly LayoutObject[],
  builder: ObjectsBoundingBoxConditionalBuilder,
): number[] {
  const { no_max_objects, encode_crop, no_tokens } = builder.options;
  if (objects.length > no_max_objects)
    throw new LdmError('ERR_DATA', `Expected at most ${no_max_objects} objects but the layout has ${objects.length}.`);
  const unused = { category_id: '', area: 0, image_id: 0, id: 0 };
  const tokens = objects.flatMap((object) => [
    builder.objectRepresentation({ ...unused, ...object }),
    ...builder.tokenPairFromBbox(object.bbox),
  ]);
  while (tokens.length < 3 * no_max_objects) tokens.push(builder.none);
  if (encode_crop) tokens.push(...builder.tokenPairFromBbox([0, 0, 1, 1]));
  const wrong = tokens.find((token) => token >= no_tokens);
  if (wrong !== undefined)
    throw new LdmError(
      'ERR_DATA',
      `The layout needs the token ${wrong}, but the model has ${no_tokens}: leave attributes out.`,
    );
  return tokens;
}
