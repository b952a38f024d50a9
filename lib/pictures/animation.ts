/** Pictures one after the other in one file. */
import sharp from 'sharp';
import { type Pictures, toBytes } from './picture';

export interface AnimationOptions {
  format: 'gif' | 'webp';
  /** How long each picture is shown. */
  milliseconds: number;
  /** Forwards and back again, so that the end meets the beginning. Default true. */
  bounce?: boolean;
  /** The values that are black and white. Default [0, 1]. */
  range?: readonly [number, number];
}

/** An endless animation of RGB pictures of one size. */
export async function animation(pictures: Pictures, options: AnimationOptions): Promise<Buffer> {
  const { format, milliseconds, bounce = true, range = [0, 1] } = options;
  const { batch, width, height } = pictures;
  const there = Array.from({ length: batch }, (_, i) => i);
  const order = bounce ? [...there, ...there.slice(1, -1).reverse()] : there;
  const each = width * height * 3;
  const bytes = new Uint8Array(order.length * each);
  for (const [k, i] of order.entries()) bytes.set(toBytes(pictures, { index: i, range }), k * each);
  // Pages stand on top of each other.
  const raw = { width, height: height * order.length, channels: 3 as const, pageHeight: height };
  const frames = sharp(bytes, { raw });
  const delay = order.map(() => milliseconds);
  return format === 'gif'
    ? frames.gif({ delay, loop: 0 }).toBuffer()
    : frames.webp({ delay, loop: 0, quality: 90 }).toBuffer();
}
