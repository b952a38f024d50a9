/** Pictures in [0, 1] as finished PNG files that tell how they were made. */
import { encodePng, type Pictures, picturesOf, toBytes } from '../../pictures/picture';
import type { Tensor } from '../../tensor';
import type { FinishedImage } from '../job';

/** As the original scripts save pictures: levels are cut off, not rounded. */
const SAVED = { range: [0, 1], rounding: 'truncate' } as const;

/**
 * @param images [n, c, h, w] in [0, 1]; disposed of
 * @param settings of each picture
 * @param first number of the first one in its request
 */
export async function finish(images: Tensor, settings: (index: number) => object, first = 0): Promise<FinishedImage[]> {
  let pictures: Pictures;
  try {
    pictures = await picturesOf(images);
  } finally {
    images.dispose();
  }
  return Promise.all(
    Array.from({ length: pictures.batch }, (_, i) => finished(pictures, i, first + i, settings(first + i))),
  );
}

async function finished(pictures: Pictures, at: number, index: number, settings: object): Promise<FinishedImage> {
  const data = await encodePng(toBytes(pictures, { ...SAVED, index: at }), pictures, {
    settings: JSON.stringify(settings),
  });
  const { width, height } = pictures;
  const name = `${nameOf(settings)}.png`;
  return { data, type: 'image/png', role: 'picture', width, height, name, index, settings: { ...settings } };
}

/** A name for the file: what the picture is of, and what makes it another one. */
function nameOf({
  prompt,
  className,
  seed,
  frame,
}: {
  prompt?: string;
  className?: string;
  seed?: number;
  frame?: number;
}): string {
  const words = (prompt || className || 'picture')
    .slice(0, 60)
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  return [words || 'picture', seed, frame].filter((part) => part !== undefined).join('-');
}
