/** `ldm reconstruct`: what a first stage makes of images, beside the originals, with the PSNR. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { cropImage, decodeImage } from '../../data/image';
import { DataRandom } from '../../data/random';
import { ImageAutoencoder } from '../../models/image-autoencoder';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { type LoadedModel, loadModel } from '../../models/load-model';
import { VQAutoencoder } from '../../models/vq-autoencoder';
import { encodePng, makeGrid, type Pictures, picturesOf, toBytes, writeFileAtomic } from '../../pictures/picture';
import { psnr } from '../../pictures/psnr';
import { Tensor } from '../../tensor';
import { imageSizeOf } from '../../training/training-run';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { interruptible } from '../interrupt';
import { integerFrom } from '../values';

interface ReconstructFlags {
  model: string;
  ckpt?: string;
  size?: number;
  out: string;
  device: string;
  precision: 'fp32' | 'bf16';
  ema?: boolean;
}

interface Reconstruction {
  image: string;
  file: string;
  psnr: number;
}

export const reconstruct: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<images...>', 'image files')
      .requiredOption('-m, --model <path>', 'log folder of a training, or a config file')
      .option('--ckpt <file>', 'checkpoint (default: checkpoints/last.ckpt, or model.ckpt beside the config)')
      .option(
        '--size <n>',
        "side in pixels; images are cut to a square (default: the model's resolution)",
        integerFrom(8),
      )
      .option('--out <dir>', 'folder for the pictures', 'out/reconstructions')
      .option('--ema', 'use the averaged weights of a VQ model (default: where the checkpoint has them)')
      .option('--no-ema', 'use the weights of the last step')
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .addOption(new Option('--precision <type>', 'number format').choices(['fp32', 'bf16']).default('fp32'))
      .action(async (images: string[], flags: ReconstructFlags) => {
        const output = outputOf(command);
        await interruptible(async (signal) => {
          const loaded = await loadModel(flags.model, { checkpoint: flags.ckpt, device: flags.device });
          try {
            const results: Reconstruction[] = [];
            await withWeights(loaded, flags.ema, async () => {
              for (const image of images) results.push(await reconstructOne(image, loaded, flags, signal));
            });
            output.result(results, () => results.map((r) => `${r.file}  ${r.psnr.toFixed(2)} dB`).join('\n'));
          } finally {
            loaded.model.dispose();
          }
        });
      });
  },
};

/** Runs `fn` with averaged or trained weights. A latent diffusion model's average has no part in its first stage. */
async function withWeights({ model, hasEma }: LoadedModel, ema: boolean | undefined, fn: () => Promise<void>) {
  const averaged = model instanceof VQAutoencoder && hasEma;
  if (ema && !averaged)
    throw new UsageError('There are no averaged weights of a first stage in this checkpoint: leave --ema out.');
  await (averaged && ema !== false ? model.emaScope(fn) : fn());
}

async function reconstructOne(
  image: string,
  loaded: LoadedModel,
  flags: ReconstructFlags,
  signal: AbortSignal,
): Promise<Reconstruction> {
  const size = flags.size ?? imageSizeOf(loaded.config.get('model') as never);
  const decoded = await decodeImage(image, { size, interpolation: 'cubic', background: 'white' });
  const pixels = cropImage(decoded, { size, random_crop: false, flip_p: 0 }, new DataRandom(0));
  const x = Tensor.from(pixels, [1, size, size, 3]).permute(0, 3, 1, 2).to({ device: loaded.model.device });
  const original = await picturesOf(x);
  const result = await picturesOf(await throughFirstStage(loaded, x, { signal, precision: flags.precision }));
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

/** Encodes to the most likely latent and decodes. */
async function throughFirstStage(
  { model }: LoadedModel,
  x: Tensor,
  options: { signal: AbortSignal; precision: 'fp32' | 'bf16' },
): Promise<Tensor> {
  if (model instanceof LatentDiffusion)
    return model.decodeFirstStage(await model.encodeFirstStage(x, options), options);
  if (model instanceof ImageAutoencoder) return model.reconstruct(x, options);
  throw new UsageError('This model has no first stage: give an AutoencoderKL, a VQModel or a LatentDiffusion model.');
}

function concatenated(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
