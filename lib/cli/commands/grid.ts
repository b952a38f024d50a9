/** `ldm grid`: images in a grid. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { listImages } from '../../data/list-images';
import { contactSheet } from '../../pictures/contact-sheet';
import { writeFileAtomic } from '../../pictures/picture';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { integerFrom } from '../values';

interface GridFlags {
  out: string;
  columns?: number;
  cell: number;
  padding: number;
  limit: number;
  crop?: boolean;
  captions?: boolean;
  background: string;
}

export const grid: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<images...>', 'image files and folders of images (with sub-folders)')
      .option('-o, --out <file>', 'the grid, a .png file', 'out/grid.png')
      .option('--columns <n>', 'images in a row (default: about as many as there are rows)', integerFrom(1))
      .option('--cell <pixels>', 'side of each image in the grid', integerFrom(8), 128)
      .option('--padding <pixels>', 'space between them', integerFrom(0), 2)
      .option('-n, --limit <n>', 'images at most; of more, some at equal distances', integerFrom(1), 100)
      .option('--crop', 'cut images to squares instead of showing them whole')
      .option('--captions', 'write the names of the files under the images')
      .option('--background <colour>', 'CSS colour between and behind them', 'white');
    addExamples(command, [
      ['ldm grid samples/ --columns 8 --cell 64', 'a folder of drawn pictures'],
      ['ldm grid photos/ -n 24 --captions --crop --out photos.png', '24 of many photos, with their names'],
    ]);
    command.action(async (sources: string[], flags: GridFlags) => {
      if (!/\.png$/i.test(flags.out)) throw new UsageError(`The grid is a .png file: change --out ${flags.out}.`);
      const output = outputOf(command);
      const target = path.resolve(flags.out);
      // A grid of before may lie in the folder.
      const all = sources.flatMap(filesOf).filter((file) => path.resolve(file) !== target);
      if (all.length === 0) throw new UsageError(`There are no images in ${sources.join(' ')}.`);
      const { columns, cell, padding, background } = flags;
      const files = spread(all, flags.limit);
      if (files.length < all.length) output.note(`${files.length} of ${all.length} images; more with --limit.`);
      const sheet = await contactSheet(files, {
        ...{ columns, cell, padding, background },
        fit: flags.crop ? 'cover' : 'contain',
        captions: flags.captions ? files.map((file) => path.basename(file, path.extname(file))) : undefined,
      });
      writeFileAtomic(flags.out, sheet);
      output.result({ file: flags.out, images: files, found: all.length }, () => flags.out);
    });
  },
};

function filesOf(source: string): string[] {
  const isFile = fs.existsSync(source) && fs.statSync(source).isFile();
  return isFile ? [source] : listImages(source).map((name) => path.join(source, name));
}

function spread(files: readonly string[], count: number): string[] {
  const n = Math.min(count, files.length);
  return Array.from({ length: n }, (_, i) => files[Math.floor((i * files.length) / n)]);
}
