/** `ldm index`: a folder of images as a database for retrieval-augmented diffusion, or the graph of a database that is there. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { type ClipVersion, clipVersions, findClipWeights } from '../../clip-weights';
import { type BuiltIndex, buildGraph, buildIndex } from '../../retrieval';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import type { Output } from '../output';
import { Progress } from '../progress';
import { integerFrom } from '../values';

interface IndexFlags {
  out?: string;
  clip?: string;
  clip_type: ClipVersion;
  patches: number;
  patchSize: number;
  imageSize?: number;
  seed: number;
  batchSize: number;
  graphFrom: number;
  device: string;
  precision: 'fp32' | 'bf16';
}

export const indexImages: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm index photos -o out/photos-index', "a database of a folder's images"],
      ['ldm knn2img --prompt "a happy pineapple" --use_neighbors --database out/photos-index', 'which draws with it'],
      ['ldm index data/rdm/retrieval_databases/openimages', 'the search graph of an official database'],
    ]);
    command
      .argument('<folder>', 'folder of images; or, without -o, a database whose graph of neighbours is to be built')
      .option('-o, --out <dir>', 'folder of the database')
      .option('--clip <file>', 'CLIP weights (default: those of ldm download clip)')
      .addOption(
        new Option('--clip_type <name>', 'which CLIP model, without --clip').choices(clipVersions).default('ViT-L/14'),
      )
      .option(
        '--patches <n>',
        'patches of each image: 1 is the square in the middle, more are at random',
        integerFrom(1),
        1,
      )
      .option('--patch-size <n>', 'side of a patch in pixels', integerFrom(1), 256)
      .option(
        '--image-size <n>',
        "what images' shorter sides are resized to (default: the patch size, times four for several patches)",
        integerFrom(1),
      )
      .option('--seed <n>', 'seed of the random places', integerFrom(0), 0)
      .option('--batch-size <n>', 'patches at a time', integerFrom(1), 16)
      .option('--graph-from <n>', 'embeddings from which on the search goes through a graph', integerFrom(1), 20_000)
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .addOption(new Option('--precision <type>', 'number format').choices(['fp32', 'bf16']).default('fp32'))
      .action(async (folder: string, flags: IndexFlags) => {
        const output = outputOf(command);
        await interruptible((signal) =>
          flags.out === undefined
            ? graphOnly(folder, output, signal)
            : build(folder, { ...flags, out: flags.out }, output, signal),
        );
      });
  },
};

async function build(
  folder: string,
  flags: IndexFlags & { out: string },
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const progress: Partial<Record<string, Progress>> = {};
  const result = await buildIndex({
    images: folder,
    out: flags.out,
    clip: flags.clip ?? findClipWeights(flags.clip_type),
    patches: flags.patches,
    patchSize: flags.patchSize,
    imageSize: flags.imageSize,
    seed: flags.seed,
    batchSize: flags.batchSize,
    graphFrom: flags.graphFrom,
    device: flags.device,
    precision: flags.precision,
    signal,
    onProgress: (stage, done, total) => {
      progress[stage] ??= new Progress(output, { label: LABELS[stage], total, unit: UNITS[stage] });
      progress[stage].update(done, {}, total);
    },
    onSkip: (file, error) => output.warn(`${file} is left out: ${error.message}`),
  });
  for (const one of Object.values(progress)) one?.end();
  output.result(result, () => describe(result));
}

const LABELS = { embedding: 'embedding images', graph: 'building the graph' };
const UNITS = { embedding: 'images', graph: 'embeddings' };

async function graphOnly(folder: string, output: Output, signal: AbortSignal): Promise<void> {
  const isDatabase = fs.existsSync(folder) && fs.readdirSync(folder).some((name) => name.endsWith('.npz'));
  if (!isDatabase)
    throw new UsageError(
      `Say where the database of ${folder} goes: ldm index ${folder} -o DIR. (Without -o the folder has to be a database, whose graph is built.)`,
    );
  const progress = new Progress(output, { label: LABELS.graph, total: 1, unit: UNITS.graph });
  const embeddings = await buildGraph(folder, {
    signal,
    onProgress: (done, total) => progress.update(done, {}, total),
  });
  progress.end();
  output.result(
    { folder: path.resolve(folder), embeddings, graph: true },
    () => `${folder}: a graph of ${embeddings} embeddings`,
  );
}

function describe({ folder, embeddings, added, removed, skipped, graph }: BuiltIndex): string {
  const changes = [
    `${added} images added`,
    ...(removed ? [`${removed} removed`] : []),
    ...(skipped.length ? [`${skipped.length} left out`] : []),
  ];
  return `${folder}: ${embeddings} embeddings (${changes.join(', ')}), ${graph ? 'with a graph of neighbours' : 'searched exactly'}`;
}
