/** Images with captions in archives: the shorter side to a size by Pillow's bicubic filter, a square of it, perhaps mirrored. */
import { LdmError } from '../../errors';
import { readRgb } from '../decode';
import { mirror } from '../pixels';
import { resizePil } from '../resize/pil';
import { readPart } from '../tar';
import { centerCut, cutAt, pythonRound, randomCut } from './crops';
import { imageOf } from './image-paths';
import { definePreprocessor } from './preprocessor';

/** Bytes in an archive. */
export interface Part {
  offset: number;
  size: number;
}

export interface CaptionedArgs {
  archive: string;
  /** For messages. */
  name: string;
  image: Part;
  /** Text, or an object with `caption` or `text`. */
  text: (Part & { json: boolean }) | null;
  /** A number. */
  label: Part | null;
  size: number;
  random_crop: boolean;
  flip_p: number;
}

/** `image`; `caption` and `class_label`, where they are given, are in `info`. */
export const captioned = definePreprocessor<CaptionedArgs>('captioned', async (args, random) => {
  const { archive, name, size, random_crop, flip_p } = args;
  const read = ({ offset, size: length }: Part) => readPart(archive, offset, length);
  const whole = await readRgb({ bytes: await read(args.image), name });
  const scale = size / Math.min(whole.width, whole.height);
  const [width, height] = [pythonRound(whole.width * scale), pythonRound(whole.height * scale)];
  const image = resizePil(whole, width, height, 'bicubic');
  const square = cutAt(image, random_crop ? randomCut(image, size, size, random) : centerCut(image, size, size));
  const result = imageOf(random.uniform() < flip_p ? mirror(square) : square);
  const info: Record<string, unknown> = {};
  if (args.text) info.caption = captionOf((await read(args.text)).toString('utf8'), args.text.json, name);
  if (args.label) info.class_label = labelOf((await read(args.label)).toString('utf8'), name);
  return { ...result, info };
});

function captionOf(text: string, json: boolean, name: string): string {
  if (!json) return text.trim();
  let value: unknown;
  try {
    const entry = JSON.parse(text) as Record<string, unknown> | null;
    value = entry?.caption ?? entry?.text;
  } catch {}
  if (typeof value === 'string') return value;
  throw new LdmError(
    'ERR_DATA',
    `${name}: expected an object with "caption" or "text" but found ${JSON.stringify(text.slice(0, 60))}.`,
  );
}

function labelOf(text: string, name: string): number {
  const label = Number(text.trim() || Number.NaN);
  if (Number.isSafeInteger(label) && label >= 0) return label;
  throw new LdmError(
    'ERR_DATA',
    `${name}: expected the number of a class but found ${JSON.stringify(text.slice(0, 60))}.`,
  );
}
