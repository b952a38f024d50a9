/** `ldm reconstruct`: what a first stage makes of images, beside the originals, with the PSNR. */
import path from 'node:path';
import type { Command } from 'commander';
import { cropImage, decodeImage } from '../../data/image';
import { DataRandom } from '../../data/random';
import { firstStageOf, withFirstStageWeights } from '../../evaluation/first-stage';
import type { ImageAutoencoder } from '../../models/image-autoencoder';
import type { LoadedModel } from '../../models/load-model';
import { encodePng, makeGrid, type Pictures, picturesOf, toBytes, writeFileAtomic } from '../../pictures/picture';
import { psnr } from '../../pictures/psnr';
import { Tensor } from '../../tensor';
import { imageSizeOf } from '../../training/training-run';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addFirstStageOptions, type FirstStageFlags, withFirstStage } from '../first-stage-options';
import { interruptible } from '../interrupt';
import { integerFrom } from '../values';

interface ReconstructFlags extends FirstStageFlags {
  model: string;
  size?: number;
  out: string;
}

interface Reconstruction {
  image: string;
  file: string;
  psnr: number;
}

export const reconstruct: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      [
        'ldm reconstruct cat.png dog.jpg -m logs/2026-01-31T12-00-00_kl',
        'originals beside reconstructions in out/reconstructions',
      ],
      [
        'ldm reconstruct cat.png -m models/first_stage_models/kl-f8/config.yaml --size 512 --json',
        'an official first stage; PSNR for a program',
      ],
    ]);
    command
      .argument('<images...>', 'image files')
      .requiredOption('-m, --model <path>', 'log folder of a training, or a config file')
      .option(
        '--size <n>',
        "side in pixels; images are cut to a square (default: the model's resolution)",
        integerFrom(8),
      )
      .option('--out <dir>', 'folder for the pictures', 'out/reconstructions');
    addFirstStageOptions(command).action(async (images: string[], flags: ReconstructFlags) => {
      const output = outputOf(command);
      await interruptible(async (signal) => {
        const results = await withFirstStage(flags.model, flags, (loaded) => all(images, loaded, flags, signal));
        output.result(results, () => results.map((r) => `${r.file}  ${r.psnr.toFixed(2)} dB`).join('\n'));
      });
    });
  },
};

async function all(
  images: readonly string[],
  loaded: LoadedModel,
  flags: ReconstructFlags,
  signal: AbortSignal,
): Promise<Reconstruction[]> {
  const firstStage = await firstStageOf(loaded);
  return withFirstStageWeights(loaded, flags.ema, async () => {
    const results: Reconstruction[] = [];
    for (const image of images) results.push(await reconstructOne(image, loaded, firstStage, flags, signal));
    return results;
  });
}

async function reconstructOne(
  image: string,
  loaded: LoadedModel,
  firstStage: ImageAutoencoder,
  flags: ReconstructFlags,
  signal: AbortSignal,
): Promise<Reconstruction> {
  const size = flags.size ?? imageSizeOf(loaded.config.get('model') as never);
  const decoded = await decodeImage(image, { size, interpolation: 'cubic', background: 'white' });
  const pixels = cropImage(decoded, { size, random_crop: false, flip_p: 0 }, new DataRandom(0));
  const x = Tensor.from(pixels, [1, size, size, 3]).permute(0, 3, 1, 2).to({ device: loaded.model.device });
  const original = await picturesOf(x);
  const result = await picturesOf(
    await firstStage.reconstruct(x, { signal, precision: flags.precision, tile: flags.tile }),
  );
  if (result.height !== size || result.width !== size)
    throw new UsageError(
      `This model cannot reconstruct ${size} pixels: it gives ${result.width}. Try a multiple of 32 with --size.`,
    );
  const quality = psnr(original, result);
  const both: Pictures = { ...original, batch: 2, data: concatenated(original.data, result.data) };
  const grid = makeGrid(both, { padValue: 1 });
  const text = { settings: JSON.stringify({ image, checkpoint: loaded.checkpoint, psnr: quality }) };
  const file = path.join(flags.out, `${path.basename(image, path.extname(image))}_reconstruction.png`);
  writeFileAtomic(file, await encodePng(toBytes(grid), grid, text));
  return { image, file, psnr: quality };
}

function concatenated(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
