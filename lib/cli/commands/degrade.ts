/** `ldm degrade`: low-resolution images as super-resolution is trained with, to look at or to try a model on. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { DEGRADATIONS, type DegradationName } from '../../data/degradation';
import { decodeImage } from '../../data/image';
import type { Pixels } from '../../data/pixels';
import { DataRandom } from '../../data/random';
import { resizeOpenCv } from '../../data/resize/opencv';
import { type GridRow, labelledGrid } from '../../pictures/labelled-grid';
import { encodePng, type Pictures, writeFileAtomic } from '../../pictures/picture';
import { type CommandDefinition, outputOf } from '../command';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { Progress } from '../progress';
import { integerFrom } from '../values';

interface DegradeFlags {
  kind: DegradationName;
  scale: number;
  number: number;
  seed: number;
  out: string;
}

/** Side of a picture on the contact sheet. */
const CELL = 224;

export const degrade: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm degrade photo.png --kind bsrgan_light -n 4', 'four small versions and a contact sheet in out/degraded'],
    ]);
    command
      .argument('<images...>', 'image files')
      .addOption(new Option('--kind <name>', 'degradation').choices(Object.keys(DEGRADATIONS)).default('bsrgan_light'))
      .option('--scale <n>', 'factor between the sides', integerFrom(1), 4)
      .option('-n, --number <n>', 'low-resolution images of each image', integerFrom(1), 4)
      .option('--seed <n>', 'seed', integerFrom(0), 23)
      .option('-o, --out <dir>', 'folder for the pictures', 'out/degraded')
      .action(async (images: string[], flags: DegradeFlags) => {
        const output = outputOf(command);
        await interruptible(async (signal) => {
          const progress = new Progress(output, { label: 'degrading', total: images.length * flags.number });
          const result = await degradeAll(images, flags, (done) => {
            signal.throwIfAborted();
            progress.update(done, {});
          });
          progress.end();
          output.result(result, () => [...result.images, result.sheet].join('\n'));
        });
      });
  },
};

async function degradeAll(
  images: readonly string[],
  flags: DegradeFlags,
  onImage: (done: number) => void,
): Promise<{ images: string[]; sheet: string; settings: object }> {
  const { kind, scale, seed, out } = flags;
  const settings = { degradation: kind, scale, seed };
  const files: string[] = [];
  const rows: GridRow[] = [];
  const names = distinctNames(images);
  for (const [i, file] of images.entries()) {
    const image = await decodeImage(file, { size: null, interpolation: 'cubic', background: 'white' });
    const name = names[i];
    const row: Pixels[] = [image];
    for (let k = 0; k < flags.number; k++) {
      const small = await DEGRADATIONS[kind](image, scale, new DataRandom(seed, i, k));
      const text = { settings: JSON.stringify({ ...settings, image: file, index: k }) };
      files.push(path.join(out, `${name}_lr${k}.png`));
      writeFileAtomic(files.at(-1)!, await encodePng(small.data, { ...small, channels: 3 }, text));
      // Pixels are shown as they are, as large as the original.
      row.push(resizeOpenCv(small, image.width, image.height, 'nearest'));
      onImage(files.length);
    }
    rows.push({ label: name, pictures: picturesOfPixels(row) });
  }
  const sheet = path.join(out, 'contact_sheet.png');
  const title = `${kind}: each image and what is left of it`;
  const subtitle = `scale ${scale}, seed ${seed}`;
  writeFileAtomic(
    sheet,
    await labelledGrid(rows, { title, subtitle, cell: CELL, text: { settings: JSON.stringify(settings) } }),
  );
  return { images: files, sheet, settings };
}

/** Names of files without folder and ending; a number is added where two would be the same. */
function distinctNames(files: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return files.map((file) => {
    const name = path.basename(file, path.extname(file));
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? name : `${name}-${before + 1}`;
  });
}

/** Images of one size as planes in [-1, 1]. */
function picturesOfPixels(images: readonly Pixels[]): Pictures {
  const { width, height } = images[0];
  const plane = width * height;
  const data = new Float32Array(images.length * 3 * plane);
  images.forEach((image, n) => {
    for (let i = 0; i < plane; i++)
      for (let c = 0; c < 3; c++) data[(n * 3 + c) * plane + i] = image.data[i * 3 + c] / 127.5 - 1;
  });
  return { data, batch: images.length, channels: 3, height, width };
}
