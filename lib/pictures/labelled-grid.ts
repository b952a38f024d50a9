/** A table of pictures with a title and a label before each row. */
import { encodePng, type Pictures, toBytes } from './picture';
import { withText } from './png-text';
import { renderSvg, svgImage, svgText } from './svg';

export interface GridRow {
  label: string;
  /** Drawn from left to right. */
  pictures: Pictures;
}

export interface LabelledGridOptions {
  title: string;
  /** Smaller text under the title. */
  subtitle?: string;
  /** Side of each picture on the page in pixels. Default 96. */
  cell?: number;
  /** The values that are black and white. Default [-1, 1]. */
  range?: readonly [number, number];
  /** Text chunks of the PNG file. */
  text?: Record<string, string>;
}

/** Draws the table as PNG. Small pictures are enlarged smoothly. */
export async function labelledGrid(rows: readonly GridRow[], options: LabelledGridOptions): Promise<Buffer> {
  const { title, subtitle, cell = 96, range, text = {} } = options;
  const gap = 6;
  const margin = 20;
  const head = subtitle ? 74 : 54;
  const labelWidth = Math.max(...rows.map((r) => r.label.length)) * 9.5 + 14;
  const columns = Math.max(...rows.map((r) => r.pictures.batch));
  const titleWidth = Math.max(title.length * 11.5, (subtitle?.length ?? 0) * 7.6);
  const width = Math.ceil(Math.max(2 * margin + labelWidth + columns * (cell + gap), 2 * margin + titleWidth));
  const height = Math.ceil(head + rows.length * (cell + gap) + margin);
  const elements = [svgText(margin, 34, title, { size: 18, bold: true })];
  if (subtitle) elements.push(svgText(margin, 56, subtitle, { size: 12, fill: '#555' }));
  for (const [r, { label, pictures }] of rows.entries()) {
    const top = head + r * (cell + gap);
    elements.push(svgText(margin + labelWidth - 12, top + cell / 2 + 5, label, { size: 14, anchor: 'end' }));
    for (let i = 0; i < pictures.batch; i++) {
      const png = await encodePng(toBytes(pictures, { index: i, range }), pictures);
      const left = margin + labelWidth + i * (cell + gap);
      elements.push(svgImage(left, top, { width: cell, height: cell }, png, true));
    }
  }
  return withText(renderSvg(width, height, elements), text);
}
