/** A table of pictures with a title and a label before or above each row. */
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
  /** Where each row's label stands. Default 'left'; 'above' suits long texts. */
  labels?: 'left' | 'above';
  /** Side of each picture on the page in pixels. Default 96. */
  cell?: number;
  /** The values that are black and white. Default [-1, 1]. */
  range?: readonly [number, number];
  /** Text chunks of the PNG file. */
  text?: Record<string, string>;
}

/** Draws the table as PNG. Small pictures are enlarged smoothly. */
export async function labelledGrid(rows: readonly GridRow[], options: LabelledGridOptions): Promise<Buffer> {
  const { title, subtitle, labels = 'left', cell = 96, range, text = {} } = options;
  const gap = 6;
  const margin = 20;
  const head = subtitle ? 74 : 54;
  const longest = Math.max(...rows.map((r) => r.label.length));
  const labelWidth = labels === 'left' ? longest * 9.5 + 14 : 0;
  const labelHeight = labels === 'above' ? 26 : 0;
  const columns = Math.max(...rows.map((r) => r.pictures.batch));
  const titleWidth = Math.max(
    title.length * 11.5,
    (subtitle?.length ?? 0) * 7.6,
    labels === 'above' ? longest * 8.5 : 0,
  );
  const width = Math.ceil(Math.max(2 * margin + labelWidth + columns * (cell + gap), 2 * margin + titleWidth));
  const rowHeight = labelHeight + cell + gap;
  const height = Math.ceil(head + rows.length * rowHeight + margin);
  const elements = [svgText(margin, 34, title, { size: 18, bold: true })];
  if (subtitle) elements.push(svgText(margin, 56, subtitle, { size: 12, fill: '#555' }));
  for (const [r, { label, pictures }] of rows.entries()) {
    const top = head + r * rowHeight + labelHeight;
    elements.push(
      labels === 'left'
        ? svgText(margin + labelWidth - 12, top + cell / 2 + 5, label, { size: 14, anchor: 'end' })
        : svgText(margin, top - 8, label, { size: 14 }),
    );
    for (let i = 0; i < pictures.batch; i++) {
      const png = await encodePng(toBytes(pictures, { index: i, range }), pictures);
      const left = margin + labelWidth + i * (cell + gap);
      elements.push(svgImage(left, top, { width: cell, height: cell }, png, true));
    }
  }
  return withText(renderSvg(width, height, elements), text);
}
