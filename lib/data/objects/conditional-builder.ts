/**
 * Layouts as sequences of tokens (reference: taming/data/conditional_builder). An object is a token for its class and
 * attributes and one for its centre, or two for the corners of its box; places count along the rows of a square grid.
 */
import { LdmError } from '../../errors';
import { pythonRound } from '../preprocess/crops';
import type { DataRandom } from '../random';
import { type Annotation, type BoundingBox, boxInCrop, FULL_CROP, intersectionArea, mirroredBox } from './annotation';

export interface ConditionalBuilderOptions {
  /** Number of classes. */
  no_object_classes: number;
  /** Objects in a sequence; images with fewer are filled up with "none". */
  no_max_objects: number;
  /** Number of tokens; the last one is "none". Places use a grid of floor(sqrt(no_tokens)) squared. */
  no_tokens: number;
  /** Append two tokens that tell where the image was cut. */
  encode_crop: boolean;
  /** Tell in the class tokens whether an object is a group. */
  use_group_parameter: boolean;
  /** Tell in the class tokens whether it is occluded, a depiction, or seen from inside. */
  use_additional_parameters: boolean;
}

/** What a token of an object says. */
export interface ObjectClass {
  category_no: number;
  is_group_of: boolean;
  is_occluded: boolean;
  is_depiction: boolean;
  is_inside: boolean;
}

/** Objects as class and centre. */
export class ObjectsCenterPointsConditionalBuilder {
  readonly options: Readonly<ConditionalBuilderOptions>;
  /** Tokens of one object. */
  readonly objectDescriptorLength: number = 2;

  constructor(options: ConditionalBuilderOptions) {
    this.options = options;
  }

  /** The token of no object. */
  get none(): number {
    return this.options.no_tokens - 1;
  }

  /** Rows and columns of the grid of places. */
  get noSections(): number {
    return Math.floor(Math.sqrt(this.options.no_tokens));
  }

  /** Tokens of a sequence. */
  get embeddingDim(): number {
    return this.options.no_max_objects * this.objectDescriptorLength + (this.options.encode_crop ? 2 : 0);
  }

  /** The place of a point; x and y in [0, 1]. */
  tokenizeCoordinates(x: number, y: number): number {
    const last = this.noSections - 1;
    return pythonRound(y * last) * this.noSections + pythonRound(x * last);
  }

  /** The point of a place. */
  coordinatesFromToken(token: number): [x: number, y: number] {
    const last = this.noSections - 1;
    return [(token % this.noSections) / last, Math.floor(token / this.noSections) / last];
  }

  /** The places of the left upper and the right lower corner. */
  tokenPairFromBbox([left, top, width, height]: BoundingBox): [number, number] {
    return [this.tokenizeCoordinates(left, top), this.tokenizeCoordinates(left + width, top + height)];
  }

  bboxFromTokenPair(first: number, second: number): BoundingBox {
    const [x0, y0] = this.coordinatesFromToken(first);
    const [x1, y1] = this.coordinatesFromToken(second);
    return [x0, y0, x1 - x0, y1 - y0];
  }

  /** The token of an object's class and attributes. */
  objectRepresentation(annotation: Annotation): number {
    const { use_group_parameter: group, use_additional_parameters: more, no_object_classes } = this.options;
    const bits =
      (group && annotation.is_group_of === true ? 1 : 0) |
      (more && annotation.is_occluded === true ? 2 : 0) |
      (more && annotation.is_depiction === true ? 4 : 0) |
      (more && annotation.is_inside === true ? 8 : 0);
    return annotation.category_no + no_object_classes * bits;
  }

  /** What the token of an object says. */
  representationToClass(token: number): ObjectClass {
    const { use_group_parameter: group, use_additional_parameters: more, no_object_classes } = this.options;
    const bits = Math.floor(token / no_object_classes);
    return {
      category_no: token % no_object_classes,
      is_group_of: group && (bits & 1) !== 0,
      is_occluded: more && (bits & 2) !== 0,
      is_depiction: more && (bits & 4) !== 0,
      is_inside: more && (bits & 8) !== 0,
    };
  }

  /**
   * The tokens of an image's objects, in random order: those that the cut shows, their boxes relative to it; where the cut
   * is encoded, all boxes are relative to the whole image.
   * @param crop where the image was cut; null: not at all
   * @throws LdmError ERR_DATA when a class or a place has no token: there are too few
   */
  build(annotations: readonly Annotation[], crop: BoundingBox | null, flip: boolean, random: DataRandom): number[] {
    const { no_max_objects, encode_crop, no_tokens } = this.options;
    const whole = crop ?? FULL_CROP;
    const some = annotations.slice(0, no_max_objects);
    const shuffled = Array.from(random.permutation(some.length), (i) => some[i]);
    const seen = shuffled.filter(({ bbox }) => intersectionArea(bbox, whole) > 0);
    const frame = encode_crop ? FULL_CROP : whole;
    const objects = seen.map((a) => ({ ...a, bbox: boxInCrop(a.bbox, frame, flip) }));
    const tokens = objects.flatMap((a) => this.describe(a));
    while (tokens.length < no_max_objects * this.objectDescriptorLength) tokens.push(this.none);
    if (encode_crop) tokens.push(...this.tokenPairFromBbox(flip ? mirroredBox(whole) : whole));
    const wrong = tokens.find((token) => token < 0 || token >= no_tokens);
    if (wrong !== undefined)
      throw new LdmError(
        'ERR_DATA',
        `A layout needs the token ${wrong}, but no_tokens is ${no_tokens}. Raise it: it has to exceed the classes (${this.options.no_object_classes}) times their attributes.`,
      );
    return tokens;
  }

  /** What a sequence says: class tokens with points (or boxes, see the subclass), and the cut. */
  inverseBuild(tokens: readonly number[]): {
    objects: { token: number; place: readonly number[] }[];
    crop: BoundingBox | null;
  } {
    if (tokens.length !== this.embeddingDim)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a layout of ${this.embeddingDim} tokens but received ${tokens.length}`,
      );
    const n = this.objectDescriptorLength;
    const crop = this.options.encode_crop ? this.bboxFromTokenPair(tokens.at(-2)!, tokens.at(-1)!) : null;
    const objects = [];
    for (let i = 0; i < n * this.options.no_max_objects; i += n)
      if (tokens[i] !== this.none) objects.push({ token: tokens[i], place: this.placeOf(tokens.slice(i + 1, i + n)) });
    return { objects, crop };
  }

  /** The tokens of one object. */
  protected describe(annotation: Annotation): number[] {
    const [left, top, width, height] = annotation.bbox;
    return [this.objectRepresentation(annotation), this.tokenizeCoordinates(left + width / 2, top + height / 2)];
  }

  protected placeOf(tokens: readonly number[]): readonly number[] {
    return this.coordinatesFromToken(tokens[0]);
  }
}

/** Objects as class and two corners. */
export class ObjectsBoundingBoxConditionalBuilder extends ObjectsCenterPointsConditionalBuilder {
  override readonly objectDescriptorLength: number = 3;

  protected override describe(annotation: Annotation): number[] {
    return [this.objectRepresentation(annotation), ...this.tokenPairFromBbox(annotation.bbox)];
  }

  protected override placeOf(tokens: readonly number[]): readonly number[] {
    return this.bboxFromTokenPair(tokens[0], tokens[1]);
  }
}
