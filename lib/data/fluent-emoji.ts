/**
 * The demo's images: Microsoft's Fluent 3D emoji (MIT) from the npm package @lobehub/fluent-emoji-3d, 256 pixel WebP,
 * with groups and labels of emojibase-data (MIT). Both are development dependencies: nothing is downloaded.
 */
import fs from 'node:fs';
import path from 'node:path';
import { resolveNode } from '../config';
import type { FluentEmojiParams } from '../config/targets/image-sets';
import { LdmError } from '../errors';
import { type ImageItem, ImageSet, type ImageSetOptions } from './image-set';
import { registerDataset } from './registry';

/** An entry of emojibase's English data. */
interface EmojibaseEntry {
  hexcode: string;
  label: string;
  tags?: string[];
  group?: number;
  subgroup?: number;
}

/** An emoji that there is a picture of. */
export interface PicturedEmoji extends EmojibaseEntry {
  /** Name of the picture in its package. */
  name: string;
  /** Path of the picture. */
  file: string;
}

/** All emoji that there are pictures of, in emojibase's order. @throws LdmError ERR_DATA when the packages are not installed */
export function picturedEmoji(): PicturedEmoji[] {
  const assets = path.join(packageFolder('@lobehub/fluent-emoji-3d'), 'assets');
  const available = new Set(fs.readdirSync(assets));
  return readJson<EmojibaseEntry[]>(path.join(packageFolder('emojibase-data'), 'en', 'data.json')).flatMap((entry) => {
    const name = fileOf(entry.hexcode, available);
    return name === undefined ? [] : [{ ...entry, name, file: path.join(assets, name) }];
  });
}

interface EmojibaseGroups {
  groups: Record<string, string>;
  subgroups: Record<string, string>;
}

/** Emoji as images; the classes are numbered in the order given, the caption is the emoji's Unicode name. */
export class FluentEmoji extends ImageSet {
  private constructor(items: ImageItem[], classNames: string[], options: ImageSetOptions) {
    super(items, classNames, options);
  }

  /**
   * @param options.classes lists of emojibase subgroups ('face-smiling', 'animal-bird', ...) or groups ('food-drink') by
   *   the name of the class
   * @throws LdmError ERR_CONFIG for wrong options, ERR_DATA when the packages are not installed or a class names no group with images
   */
  static open(options: FluentEmojiParams): FluentEmoji {
    const { classes, ...rest } = resolveNode({ target: 'node_ldm.data.FluentEmoji', params: options })
      .params as unknown as ImageSetOptions & { classes: Record<string, string[]> };
    const emoji = picturedEmoji();
    const { groups, subgroups } = readJson<EmojibaseGroups>(
      path.join(packageFolder('emojibase-data'), 'meta', 'groups.json'),
    );
    const classNames = Object.keys(classes);
    const items = classNames.flatMap((name, class_label) => {
      const wanted = new Set(classes[name]);
      const found: ImageItem[] = emoji
        .filter(({ group, subgroup }) => [groups[group ?? -1], subgroups[subgroup ?? -1]].some((g) => wanted.has(g)))
        .map(({ file, name, label }) => ({ file, name, class_label, caption: label }));
      if (found.length === 0)
        throw new LdmError(
          'ERR_DATA',
          `The emoji class '${name}' is empty: no images belong to ${[...wanted].join(', ')}. Known subgroups: ${Object.values(subgroups).join(', ')}.`,
        );
      return found;
    });
    return new FluentEmoji(items, classNames, rest);
  }
}

registerDataset('node_ldm.data.FluentEmoji', FluentEmoji.open);

/** The image set writes code points in lower case, with or without the variation selector. */
function fileOf(hexcode: string, available: ReadonlySet<string>): string | undefined {
  const full = hexcode.toLowerCase();
  return [full, full.replaceAll('-fe0f', '')].map((n) => `${n}.webp`).find((n) => available.has(n));
}

function packageFolder(name: string): string {
  try {
    return path.dirname(require.resolve(`${name}/package.json`));
  } catch {
    throw new LdmError(
      'ERR_DATA',
      `The demo's images are in the npm package ${name}, which is not installed. Run 'npm install ${name}', or train on your own images with 'ldm train --data DIR'.`,
    );
  }
}

function readJson<T>(file: string): T {
  return JSON.parse(fs.readFileSync(file, 'utf8')) as T;
}
