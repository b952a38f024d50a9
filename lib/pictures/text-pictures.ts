/** Drawings as pictures among the pictures of a batch: text, boxes. */
import sharp from 'sharp';
import { Tensor } from '../tensor';
import { renderSvg, svgText } from './svg';

/**
 * Rasterises drawings of one size, as the reference's pictures from PIL.
 * @param drawings the SVG elements of each picture, on white
 * @returns float32 [drawings, 3, height, width] in [-1, 1]
 */
export async function drawnPictures(
  drawings: readonly (readonly string[])[],
  { width, height }: { width: number; height: number },
): Promise<Tensor> {
  const plane = width * height;
  const data = new Float32Array(drawings.length * 3 * plane);
  for (const [i, elements] of drawings.entries()) {
    const pixels = await sharp(renderSvg(width, height, elements))
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < 3; c++) data[(i * 3 + c) * plane + p] = pixels[p * 3 + c] / 127.5 - 1;
  }
  return Tensor.from(data, [drawings.length, 3, height, width]);
}

/**
 * Texts in black on white (the reference's log_txt_as_img): broken hard after 40 characters on 256 pixels.
 * @returns float32 [texts, 3, height, width] in [-1, 1]
 */
export function textPictures(
  texts: readonly string[],
  size: { width: number; height: number },
  fontSize = 10,
): Promise<Tensor> {
  const perLine = Math.max(1, Math.floor((40 * size.width) / 256));
  const lineHeight = fontSize * 1.3;
  const drawings = texts.map((text) => {
    const characters = [...text.replace(/\s/g, ' ')];
    const lines = Array.from({ length: Math.ceil(characters.length / perLine) }, (_, i) =>
      characters.slice(i * perLine, (i + 1) * perLine).join(''),
    );
    return lines.map((line, i) => svgText(0, fontSize + i * lineHeight, line, { size: fontSize, fill: '#000' }));
  });
  return drawnPictures(drawings, size);
}
