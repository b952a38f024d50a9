/** Reading and writing images for the examples, with sharp. */
import { Tensor } from 'node-ldm';
import sharp from 'sharp';

/** Pixels of an image, cut to a square of `size`, as numbers in [-1, 1] in the order height, width, channel. */
export async function readPixels(file: string, size: number): Promise<Float32Array> {
  const bytes = await sharp(file).flatten({ background: 'white' }).resize(size, size).removeAlpha().raw().toBuffer();
  return Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
}

/** Images [n, 3, height, width] in [-1, 1], side by side, as a PNG file. */
export async function writeRow(images: Tensor, file: string): Promise<void> {
  const [n, channels, height, width] = images.shape;
  // Height, then the images in a row, then the channels: what sharp expects.
  const row = images.permute(2, 0, 3, 1).reshape(height, n * width, channels);
  const bytes = await row.add(1).mul(127.5).round().clamp(0, 255).to({ dtype: 'uint8' }).data();
  await sharp(bytes as Uint8Array, { raw: { width: n * width, height, channels: channels as 3 } })
    .png()
    .toFile(file);
}

/** Stacks images of {@link readPixels} into a batch as the models take it: [n, size, size, 3]. */
export async function readBatch(files: readonly string[], size: number): Promise<Tensor> {
  const images = await Promise.all(files.map((file) => readPixels(file, size)));
  return Tensor.stack(images.map((pixels) => Tensor.from(pixels, [size, size, 3])));
}
