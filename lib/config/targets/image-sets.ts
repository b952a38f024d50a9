/** The project's own data sets: a folder of images, and the emoji of the demo. */
import { z } from 'zod';
import { registerTarget } from '../table';
import { count, flag, listOf, oneOf, options, text } from '../types';

const image = {
  /** Side of the images in pixels. */
  size: count().default(256),
  /** Cut the square at random instead of at the centre. */
  random_crop: flag().default(false),
  /** Probability of mirroring left and right. */
  flip_p: z.number().min(0).max(1).default(0.5),
  interpolation: oneOf('nearest', 'linear', 'cubic', 'lanczos3').default('cubic'),
  /** CSS colour behind transparent pixels. */
  background: text().default('white'),
  /** Decoded images are kept in memory up to this many MB (2^20 bytes); 0 decodes anew every time. */
  cache_mb: z.number().min(0).default(256),
  /** Probability that a label becomes the number of classes, which stands for any: for classifier-free guidance. */
  drop_label_p: z.number().min(0).max(1).default(0),
  /** Probability that a caption becomes the empty text: for classifier-free guidance of a model of texts. */
  drop_caption_p: z.number().min(0).max(1).default(0),
};

export const imageFolder = options({
  ...image,
  /** Folder that is searched with all of its sub-folders. */
  root: text(),
  /** Captions and labels files, relative to root; null: the usual names where they exist. */
  captions: text().nullable().default(null),
  labels: text().nullable().default(null),
});
export type ImageFolderParams = z.input<typeof imageFolder>;

export const fluentEmoji = options({
  ...image,
  /** Emojibase groups or subgroups by the name of their class. */
  classes: z.record(z.string(), listOf(text()).min(1)),
});
export type FluentEmojiParams = z.input<typeof fluentEmoji>;

registerTarget('node_ldm.data.ImageFolder', imageFolder, { family: 'data set' });
registerTarget('node_ldm.data.FluentEmoji', fluentEmoji, { family: 'data set' });
