/** Commands that make pictures of files (pictures to enlarge, maps, layouts): one file after the other, each result whole. */
import path from 'node:path';
import type { Command } from 'commander';
import type { LatentDiffusion } from '../models/latent-diffusion';
import type { ZooModel } from '../models/model-zoo';
import type { PipelineOptions } from '../sampling/pipelines';
import type { Tensor } from '../tensor';
import { outputOf } from './command';
import { interruptible } from './interrupt';
import { latentModel, type ModelFlags, openZooModel, withWeights } from './model-options';
import { savePicture, takePictures } from './picture-files';
import { Progress } from './progress';
import { integerFrom, numberWithin } from './values';

/** What a command does with each file. */
export interface FileWork<Inputs extends Readonly<Record<string, Tensor>>> {
  /** For the progress, such as 'inpainting'. */
  label: string;
  /** The files, for progress and the pictures' text. */
  sources: readonly string[];
  /** Refuses a model of another kind. */
  expect(model: LatentDiffusion): void;
  /** Reads and checks file `i`. Called for all files before the first one is worked on, and again when it is its turn. */
  read(model: LatentDiffusion, i: number): Promise<Inputs>;
  /** Pictures [n, 3, H, W] in [0, 1]. */
  draw(model: LatentDiffusion, inputs: Inputs, run: PipelineOptions): Promise<Tensor>;
  /** Writes more files beside the pictures of file `i` and returns their paths. */
  beside?(model: LatentDiffusion, i: number): Promise<string[]>;
  /** Where they go, n files. */
  files(i: number): string[];
  /** Kept in the pictures and printed with --json. */
  settings: Readonly<Record<string, unknown>>;
}

/** Flags of {@link addFileOptions}. */
export interface FileFlags extends ModelFlags {
  outdir: string;
  number: number;
  steps: number;
  eta: number;
}

/** Adds the options of commands that draw pictures of maps or layouts with DDIM. @param source such as 'map' */
export function addFileOptions(command: Command, source: string, { outdir, eta }: { outdir: string; eta: number }) {
  return command
    .option('--outdir <dir>', `folder for the results, which keep the names of the ${source}s`, outdir)
    .option('-n, --number <n>', `pictures of each ${source}`, integerFrom(1), 1)
    .option('-c, --steps <n>', 'DDIM steps', integerFrom(1), 200)
    .option('-e, --eta <x>', 'noise of DDIM, 0 to 1', numberWithin(0, 1), eta);
}

/** Opens the model and works through the files. */
export async function drawFromFiles<Inputs extends Readonly<Record<string, Tensor>>>(
  command: Command,
  flags: ModelFlags,
  zoo: ZooModel,
  work: FileWork<Inputs>,
): Promise<void> {
  const output = outputOf(command);
  await interruptible(async (signal) => {
    const opened = await openZooModel(flags, zoo);
    try {
      const model = latentModel(opened);
      work.expect(model);
      // A wrong file is told now, not after the others took their minutes.
      for (const i of work.sources.keys()) disposeOf(await work.read(model, i));
      const { random, precision, tile, checkpoint, globalStep, ema } = opened;
      const settings = { checkpoint, global_step: globalStep, ...work.settings, seed: flags.seed, ema };
      const progress = new Progress(output, { label: work.label, total: 1 });
      const images: string[] = [];
      const others: string[] = [];
      await withWeights(opened, async () => {
        for (const [i, source] of work.sources.entries()) {
          const inputs = await work.read(model, i);
          const onProgress = ({ step, total }: { step: number; total: number }) =>
            progress.update(i * total + step, { picture: path.basename(source) }, work.sources.length * total);
          const pictures = await takePictures(
            await work.draw(model, inputs, { random, precision, tile, signal, onProgress }),
          );
          disposeOf(inputs);
          for (const [k, file] of work.files(i).entries()) {
            await savePicture(file, pictures, k, { source, ...settings, index: k });
            images.push(file);
          }
          others.push(...((await work.beside?.(model, i)) ?? []));
        }
      });
      progress.end();
      output.result({ images, ...(work.beside ? { others } : {}), settings }, () => [...images, ...others].join('\n'));
    } finally {
      opened.model.dispose();
    }
  });
}

function disposeOf(inputs: Readonly<Record<string, Tensor>>): void {
  for (const tensor of Object.values(inputs)) tensor.dispose();
}
