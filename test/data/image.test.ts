import sharp from 'sharp';
import { cropImage, decodeImage } from '../../lib/data/image';
import { DataRandom } from '../../lib/data/random';

const options = { size: 4, random_crop: false, flip_p: 0, interpolation: 'nearest', background: 'white' } as const;

/** Columns of 0, 10, 20, ... so that the place of a crop can be read from its values. */
function columns(width: number, height: number): Buffer {
  return Buffer.from(Array.from({ length: width * height }, (_, i) => [(i % width) * 10, 0, 0]).flat());
}
const png = (data: Buffer, width: number, height: number) =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
const reds = (pixels: Float32Array) => Array.from({ length: 4 }, (_, x) => Math.round((pixels[x * 3] + 1) * 127.5));

describe('decodeImage', () => {
  it('resizes the shorter side and keeps the shape', async () => {
    const image = await decodeImage(await png(columns(16, 8), 16, 8), options);
    expect([image.width, image.height, image.data.length]).toEqual([8, 4, 8 * 4 * 3]);
  });

  it('lays transparency on the background and makes grey RGB', async () => {
    const clear = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect([...(await decodeImage(clear, options)).data.subarray(0, 3)]).toEqual([255, 255, 255]);
    const grey = await sharp(Buffer.alloc(16, 77), { raw: { width: 4, height: 4, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect([...(await decodeImage(grey, options)).data.subarray(0, 3)]).toEqual([77, 77, 77]);
  });

  it('names a damaged image', async () => {
    const whole = await png(columns(16, 16), 16, 16);
    const damaged = whole.subarray(0, whole.length - 30);
    await expect(decodeImage(damaged, options, 'cut.png')).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringContaining('cut.png'),
    });
  });
});

describe('cropImage', () => {
  const image = { data: new Uint8Array(columns(8, 4)), width: 8, height: 4 };

  it('takes the centre and maps to [-1, 1]', () => {
    const pixels = cropImage(image, options, new DataRandom(1));
    expect(reds(pixels)).toEqual([20, 30, 40, 50]);
    expect(pixels[1]).toBe(-1);
  });

  it('mirrors', () => {
    expect(reds(cropImage(image, { ...options, flip_p: 1 }, new DataRandom(1)))).toEqual([50, 40, 30, 20]);
  });

  it('cuts at every place when random, always the same for the same numbers', () => {
    const cut = (seed: number) => reds(cropImage(image, { ...options, random_crop: true }, new DataRandom(seed)))[0];
    const places = new Set(Array.from({ length: 100 }, (_, seed) => cut(seed)));
    expect([...places].sort((a, b) => a - b)).toEqual([0, 10, 20, 30, 40]);
    expect(cut(5)).toBe(cut(5));
  });
});
