/** Image files of any sizes in a grid of equal cells. */
import sharp from 'sharp';
import { LdmError } from '../errors';
import { renderSvg, svgText } from './svg';

export interface SheetOptions {
  /** Images in a row. Default: as many as make the grid about square. */
  columns?: number;
  /** Side of a cell in pixels. Default 128. */
  cell?: number;
  /** Pixels between cells and around them. Default 2. */
  padding?: number;
  /** 'cover' cuts images to squares, 'contain' shows them whole. Default 'contain'. */
  fit?: 'cover' | 'contain';
  /** A line under each image. */
  captions?: readonly string[];
  /** CSS colour between the images. Default 'white'. */
  background?: string;
}

const CAPTION = 16;

/**
 * Draws the grid as PNG. Small images are enlarged by whole pixels, so that one sees what there is.
 * @throws LdmError ERR_DATA for a file that is no image
 */
export async function contactSheet(files: readonly string[], options: SheetOptions = {}): Promise<Buffer> {
  const { cell = 128, padding = 2, fit = 'contain', captions, background = 'white' } = options;
  const columns = Math.min(options.columns ?? Math.ceil(Math.sqrt(files.length)), files.length);
  const rows = Math.ceil(files.length / columns);
  const height = cell + (captions ? CAPTION : 0) + padding;
  const parts = await Promise.all(
    files.map(async (file, i) => {
      const left = padding + (i % columns) * (cell + padding);
      const top = padding + Math.floor(i / columns) * height;
      const picture = { input: await cellOf(file, cell, fit, background), left, top };
      if (!captions) return [picture];
      const text = svgText(cell / 2, CAPTION - 4, shortened(captions[i], cell), { size: 11, anchor: 'middle' });
      return [picture, { input: renderSvg(cell, CAPTION, [text]), left, top: top + cell }];
    }),
  );
  const size = { width: padding + columns * (cell + padding), height: padding + rows * height };
  return sharp({ create: { ...size, channels: 3, background } })
    .composite(parts.flat())
    .png()
    .toBuffer();
}

async function cellOf(file: string, cell: number, fit: 'cover' | 'contain', background: string): Promise<Buffer> {
  try {
    const { width, height } = (await sharp(file).metadata()).autoOrient;
    const isSmall = Math.max(width, height) * 2 <= cell;
    return await sharp(file)
      .autoOrient()
      .flatten({ background })
      .toColourspace('srgb')
      .resize({ width: cell, height: cell, fit, background, kernel: isSmall ? 'nearest' : 'lanczos3' })
      .png()
      .toBuffer();
  } catch (error) {
    throw new LdmError('ERR_DATA', `Cannot read the image ${file}: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
    });
  }
}

/** What fits under a cell. */
function shortened(text: string, cell: number): string {
  const most = Math.max(3, Math.floor(cell / 6.6));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
