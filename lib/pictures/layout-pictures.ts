/**
 * Layouts of bounding boxes as pictures (reference: ObjectsBoundingBoxConditionalBuilder.plot of
 * taming/data/conditional_builder/objects_bbox.py).
 */
import type { Tensor } from '../tensor';
import { svgText } from './svg';
import { drawnPictures } from './text-pictures';

/** Left, top, width and height as parts of the image. */
export type LayoutBox = readonly [left: number, top: number, width: number, height: number];

/** The objects of one image. */
export interface Layout {
  objects: readonly { label: string; box: LayoutBox }[];
  /** Where the image was cut out, if that is known. */
  crop: LayoutBox | null;
}

interface PageSize {
  width: number;
  height: number;
}

// The "tab10" palette of seaborn.
const COLOURS = [
  '#1e76b3',
  '#ff7e0d',
  '#2b9f2b',
  '#d52627',
  '#9366bc',
  '#8b554a',
  '#e276c1',
  '#7e7e7e',
  '#bbbc21',
  '#16bdce',
];
const CROP = '#3f3f3f';
const LINE = 3;

/**
 * Draws layouts on white: a coloured frame with its label for each object, a grey one for the crop.
 * @param size pixels of a side, or width and height
 * @returns float32 [layouts, 3, height, width] in [-1, 1]
 */
export function layoutPictures(layouts: readonly Layout[], size: number | PageSize = 256): Promise<Tensor> {
  const page = typeof size === 'number' ? { width: size, height: size } : size;
  const largest = Math.max(page.width, page.height);
  const fontSize = largest >= 512 ? 15 : largest >= 256 ? 12 : 10;
  const drawings = layouts.map(({ objects, crop }) => {
    const elements = objects.flatMap(({ label, box }, i) => {
      const [left, top] = [Math.trunc(box[0] * page.width), Math.trunc(box[1] * page.height)];
      return [
        frame(box, page, COLOURS[i % COLOURS.length]),
        svgText(left + LINE, top + LINE + fontSize, label, { size: fontSize, fill: '#000' }),
      ];
    });
    return crop ? [...elements, frame(crop, page, CROP)] : elements;
  });
  return drawnPictures(drawings, page);
}

/** Its line lies within the box, as PIL draws it. */
function frame([x, y, w, h]: LayoutBox, page: PageSize, colour: string): string {
  const [left, top] = [Math.trunc(x * page.width), Math.trunc(y * page.height)];
  const right = Math.min(Math.trunc((x + w) * page.width) + 1, page.width);
  const bottom = Math.min(Math.trunc((y + h) * page.height) + 1, page.height);
  const half = LINE / 2;
  const width = Math.max(right - left - LINE, 0);
  const height = Math.max(bottom - top - LINE, 0);
  return `<rect x="${left + half}" y="${top + half}" width="${width}" height="${height}" fill="none" stroke="${colour}" stroke-width="${LINE}"/>`;
}
