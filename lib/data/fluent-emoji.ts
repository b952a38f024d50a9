/**
 * The demo's images: Microsoft's Fluent 3D emoji (MIT) from the npm package @lobehub/fluent-emoji-3d, 256 pixel WebP,
 * with groups and labels of emojibase-data (MIT). Both are development dependencies: nothing is downloaded.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import { IMAGE_FOLDER_DEFAULTS } from './image-folder';
import { type ImageItem, ImageSet, type ImageSetOptions } from './image-set';

export interface FluentEmojiOptions extends ImageSetOptions {
  /**
   * Classes by name, each a list of emojibase subgroups ('face-smiling', 'animal-bird', ...) or groups ('food-drink').
   */
  classes: Record<string, readonly string[]>;
}

interface EmojibaseEntry {
  hexcode: string;
  label: string;
  group?: number;
  subgroup?: number;
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
   * @throws LdmError ERR_DATA when the packages are not installed or a class names no group with images
   */
  static open(options: Partial<ImageSetOptions> & Pick<FluentEmojiOptions, 'classes'>): FluentEmoji {
    const { classes, ...rest } = options;
    const assets = path.join(packageFolder('@lobehub/fluent-emoji-3d'), 'assets');
    const data = packageFolder('emojibase-data');
    const { groups, subgroups } = readJson<EmojibaseGroups>(path.join(data, 'meta', 'groups.json'));
    const entries = readJson<EmojibaseEntry[]>(path.join(data, 'en', 'data.json'));
    const available = new Set(fs.readdirSync(assets));
    const classNames = Object.keys(classes);
    const items = classNames.flatMap((name, class_label) => {
      const wanted = new Set(classes[name]);
      const found: ImageItem[] = [];
      for (const entry of entries) {
        const belongs = [groups[entry.group ?? -1], subgroups[entry.subgroup ?? -1]].some((g) => wanted.has(g));
        const file = belongs ? fileOf(entry.hexcode, available) : undefined;
        if (file) found.push({ file: path.join(assets, file), name: file, class_label, caption: entry.label });
      }
      if (found.length === 0)
        throw new LdmError(
          'ERR_DATA',
          `The emoji class '${name}' is empty: no images belong to ${[...wanted].join(', ')}. Known subgroups: ${Object.values(subgroups).join(', ')}.`,
        );
      return found;
    });
    return new FluentEmoji(items, classNames, { ...IMAGE_FOLDER_DEFAULTS, ...rest });
  }
}

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
