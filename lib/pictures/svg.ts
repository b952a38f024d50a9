/** Drawing with text: SVG rasterised by resvg with the DejaVu fonts of an npm package, so no system font is needed. */
import path from 'node:path';
import { Resvg } from '@resvg/resvg-js';

/** Escapes text for SVG. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A text element. `anchor` tells which point of the text x is. */
export function svgText(
  x: number,
  y: number,
  text: string,
  options: { size: number; anchor?: 'start' | 'middle' | 'end'; bold?: boolean; fill?: string; rotate?: number },
): string {
  const { size, anchor = 'start', bold = false, fill = '#222', rotate } = options;
  const turn = rotate === undefined ? '' : ` transform="rotate(${rotate} ${x} ${y})"`;
  return `<text x="${x}" y="${y}" font-family="DejaVu Sans" font-size="${size}" font-weight="${bold ? 700 : 400}" text-anchor="${anchor}" fill="${fill}"${turn}>${escapeXml(text)}</text>`;
}

/** An embedded PNG, enlarged by pixel repetition or smoothly. */
export function svgImage(
  x: number,
  y: number,
  size: { width: number; height: number },
  png: Buffer,
  smooth: boolean,
): string {
  const rendering = smooth ? 'optimizeQuality' : 'optimizeSpeed';
  return `<image x="${x}" y="${y}" width="${size.width}" height="${size.height}" image-rendering="${rendering}" href="data:image/png;base64,${png.toString('base64')}"/>`;
}

/** The elements on a white page as an SVG file. */
export function svgPage(width: number, height: number, elements: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><rect width="100%" height="100%" fill="#fff"/>${elements.join('')}</svg>`;
}

/** Rasterises the elements on a white page. */
export function renderSvg(width: number, height: number, elements: readonly string[]): Buffer {
  return rasterize(svgPage(width, height, elements));
}

/** An SVG file as PNG. */
export function rasterize(svg: string): Buffer {
  const folder = path.join(path.dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const resvg = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((f) => path.join(folder, f)),
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return Buffer.from(resvg.render().asPng());
}
