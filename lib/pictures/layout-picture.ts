/** A layout as a picture: boxes with their names, in the colours of the reference's `bbox_image`. */
import { renderSvg, svgText } from './svg';

/** Left, top, width and height as parts of the picture. */
export interface NamedBox {
  name: string;
  box: readonly [number, number, number, number];
}

const COLOURS = [
  ...['#1e76b3', '#ff7e0d', '#2b9f2b', '#d52627', '#9366bc'],
  ...['#8b554a', '#e276c1', '#7e7e7e', '#bbbc21', '#16bdce'],
];
const LINE = 3;

/** Draws the boxes on white, as PNG. */
export function layoutPicture(boxes: readonly NamedBox[], width: number, height: number): Buffer {
  const size = Math.max(width, height) >= 512 ? 15 : Math.max(width, height) >= 256 ? 12 : 10;
  const elements = boxes.flatMap(({ name, box }, i) => {
    const [x, y] = [box[0] * width, box[1] * height];
    const [w, h] = [Math.max(box[2] * width - LINE, 1), Math.max(box[3] * height - LINE, 1)];
    const outline = `<rect x="${x + LINE / 2}" y="${y + LINE / 2}" width="${w}" height="${h}" fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="${LINE}"/>`;
    return [outline, svgText(x + LINE + 2, y + LINE + size, name, { size, fill: '#000' })];
  });
  return renderSvg(width, height, elements);
}
