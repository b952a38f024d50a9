/** Pictures as the reference makes them: tensors of channels in a float range, arranged in grids, saved as 8-bit PNG. */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { LdmError } from '../errors';
import type { Tensor } from '../tensor';
import { withText } from './png-text';

/** A batch of pictures on the JavaScript side: planes of channels, row-major [batch, channels, height, width]. */
export interface Pictures {
  data: Float32Array;
  batch: number;
  channels: number;
  height: number;
  width: number;
}

/** Reads a tensor [batch, channels, height, width], or one picture without the batch, or one plane. */
export async function picturesOf(tensor: Tensor): Promise<Pictures> {
  const shape = [...tensor.shape];
  if (shape.length < 2 || shape.length > 4)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a tensor of 2 to 4 dimensions but received [${shape}]`);
  while (shape.length < 4) shape.unshift(1);
  const [batch, channels, height, width] = shape;
  const data = (await tensor.to({ dtype: 'float32' }).data()) as Float32Array;
  return { data, batch, channels, height, width };
}

/** At most `n` pictures of a batch from `start` on. */
export function slicePictures(pictures: Pictures, start: number, n: number): Pictures {
  const batch = Math.max(0, Math.min(n, pictures.batch - start));
  const each = pictures.channels * pictures.height * pictures.width;
  return { ...pictures, batch, data: pictures.data.subarray(start * each, (start + batch) * each) };
}

export interface GridOptions {
  /** Pictures in a row. Default 8. */
  nrow?: number;
  /** Pixels around each picture. Default 2. */
  padding?: number;
  /** Value of those pixels. Default 0. */
  padValue?: number;
}

/**
 * Arranges a batch in a grid exactly as torchvision.utils.make_grid: one channel becomes three, a single picture is
 * returned as it is, without padding.
 */
export function makeGrid(pictures: Pictures, options: GridOptions = {}): Pictures {
  const { nrow = 8, padding = 2, padValue = 0 } = options;
  const colour = pictures.channels === 1 ? repeatChannel(pictures) : pictures;
  const { data, batch, channels, height, width } = colour;
  if (batch === 1) return colour;
  const columns = Math.min(nrow, batch);
  const rows = Math.ceil(batch / columns);
  const [cellHeight, cellWidth] = [height + padding, width + padding];
  const [gridHeight, gridWidth] = [cellHeight * rows + padding, cellWidth * columns + padding];
  const grid = new Float32Array(channels * gridHeight * gridWidth).fill(padValue);
  for (let i = 0; i < batch; i++) {
    const top = Math.floor(i / columns) * cellHeight + padding;
    const left = (i % columns) * cellWidth + padding;
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        const from = ((i * channels + c) * height + y) * width;
        grid.set(data.subarray(from, from + width), (c * gridHeight + top + y) * gridWidth + left);
      }
    }
  }
  return { data: grid, batch: 1, channels, height: gridHeight, width: gridWidth };
}

function repeatChannel(pictures: Pictures): Pictures {
  const plane = pictures.height * pictures.width;
  const data = new Float32Array(pictures.batch * 3 * plane);
  for (let i = 0; i < pictures.batch; i++)
    for (let c = 0; c < 3; c++) data.set(pictures.data.subarray(i * plane, (i + 1) * plane), (i * 3 + c) * plane);
  return { ...pictures, channels: 3, data };
}

/**
 * 8-bit pixels [height, width, channels] of picture `index`.
 * @param range the values that become 0 and 255; default [-1, 1]. Values outside are clamped.
 * @param rounding 'truncate' as the reference's loggers do (`(x * 255).astype(np.uint8)`), or 'nearest'
 */
export function toBytes(
  pictures: Pictures,
  options: { index?: number; range?: readonly [number, number]; rounding?: 'truncate' | 'nearest' } = {},
): Uint8Array {
  const { index = 0, range = [-1, 1], rounding = 'nearest' } = options;
  const { channels, height, width, data } = pictures;
  const plane = height * width;
  const bytes = new Uint8Array(plane * channels);
  const round = rounding === 'truncate' ? Math.floor : Math.round;
  const span = range[1] - range[0];
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) {
      // Single precision at each step, as the reference computes: truncation makes the last bit visible.
      const unit = Math.fround(Math.fround(data[(index * channels + c) * plane + i] - range[0]) / span);
      bytes[i * channels + c] = round(Math.min(Math.max(Math.fround(unit * 255), 0), 255));
    }
  }
  return bytes;
}

/** An 8-bit picture as PNG. `text` becomes text chunks (keyword and value), which image viewers show as comments. */
export async function encodePng(
  bytes: Uint8Array,
  size: { width: number; height: number; channels: number },
  text: Record<string, string> = {},
): Promise<Buffer> {
  const channels = size.channels as 1 | 2 | 3 | 4;
  const png = await sharp(bytes, { raw: { width: size.width, height: size.height, channels } })
    .png()
    .toBuffer();
  return withText(png, text);
}

/** Writes a file whole or not at all, making its folder. */
export function writeFileAtomic(file: string, data: Uint8Array | string): void {
  const temporary = `${file}.part`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(temporary, data, { flush: true });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw new LdmError('ERR_FILE', `Cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}
