/** main.ImageLogger: when it fires, the names and pixels of its files; torchvision's make_grid. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { makeGrid, type Pictures, picturesOf } from '../../../lib/pictures/picture';
import { Tensor } from '../../../lib/tensor';
import { ImageLogger } from '../../../lib/training/callbacks/image-logger';
import type { GoldenCase } from '../runner/case';

/** Options of the grids of the case; those that are not named are make_grid's defaults. */
const GRIDS = {
  n1: { nrow: 4 },
  n5: { nrow: 4 },
  n9_default: {},
  pad0: { nrow: 2, padding: 0 },
  padv: { nrow: 2, padding: 1, padValue: 0.5 },
};

export default async function imageLogger(c: GoldenCase): Promise<void> {
  for (const [name, expected] of Object.entries<number[]>(c.meta.fires)) {
    const [, frequency, increase, first] = /^bf(\d+)_inc(True|False)_first(True|False)$/.exec(name)!;
    const logger = new ImageLogger({
      batch_frequency: Number(frequency),
      max_images: 4,
      increase_log_steps: increase === 'True',
      log_first_step: first === 'True',
    });
    const steps = Array.from({ length: 20001 }, (_, i) => i).filter((i) => logger.checkFrequency(i));
    c.expectEqual(`fires.${name}`, steps.slice(0, 60), expected);
  }

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-logger-'));
  try {
    const logger = new ImageLogger({ batch_frequency: 10, max_images: 8 });
    const images: Record<string, Pictures> = {};
    for (const name of ['samples', 'mask', 'row']) images[name] = logger.prepare(await picturesOf(c.input(name)));
    const at = { globalStep: 1234, currentEpoch: 5, batchIdx: 67 };
    const files = await logger.logLocal(folder, 'train', images, at);
    c.expectEqual('files', files.map((f) => path.relative(folder, f)).sort(), c.meta.files);
    for (const file of files) {
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      const pixels = Tensor.from(new Uint8Array(data), [info.height, info.width, info.channels]);
      await c.out(`png.${path.basename(file).split('_gs')[0]}`, pixels);
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }

  for (const [name, options] of Object.entries(GRIDS))
    await c.out(`make_grid.${name}`, chw(makeGrid(await picturesOf(c.input(`grid_${name}`)), options)));
  await c.out('make_grid.gray3d', chw(makeGrid(await picturesOf(c.input('grid_gray')))));
}

/** make_grid returns one picture without a batch dimension. */
function chw(p: Pictures): Tensor {
  return Tensor.from(p.data, [p.channels, p.height, p.width]);
}
