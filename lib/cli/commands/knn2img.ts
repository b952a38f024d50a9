/** `ldm knn2img`: pictures of texts and of images near them, with the options and file names of scripts/knn2img.py. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { type ClipVersion, clipVersions, findClipWeights } from '../../clip-weights';
import { loadClipTextEmbedder } from '../../models/clip-files';
import { modelZoo } from '../../models/model-zoo';
import type { Pictures } from '../../pictures/picture';
import { type Neighbour, RetrievalDatabase } from '../../retrieval';
import { retrievalToImage } from '../../sampling/pipelines';
import { Tensor } from '../../tensor';
import { type CommandDefinition, outputOf } from '../command';
import { chunks, textsOf } from '../draw-texts';
import { addDrawingOptions, NO_DEFAULT, OF_MODEL, PROMPT, ROWS, samplerOf, sizeOf } from '../drawing-options';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import {
  addModelOptions,
  latentModel,
  type ModelFlags,
  type OpenedModel,
  openZooModel,
  withWeights,
} from '../model-options';
import type { Output } from '../output';
import { nextNumber, saveGrid, savePicture, takePictures } from '../picture-files';
import { Progress } from '../progress';
import { integerFrom } from '../values';

interface Knn2ImgFlags extends ModelFlags {
  prompt: string;
  fromFile?: string;
  outdir: string;
  skip_grid?: boolean;
  ddim_steps: number;
  n_repeat: number;
  plms?: boolean;
  ddim_eta: number;
  n_iter: number;
  H?: number;
  W?: number;
  n_samples: number;
  n_rows: number;
  scale: number;
  clip?: string;
  clip_type: ClipVersion;
  database: string;
  use_neighbors?: boolean;
  knn: number;
}

const ZOO = modelZoo.rdm768x768;

export const knn2img: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      [
        'ldm knn2img --prompt "a happy pineapple" --use_neighbors --knn 20 --database openimages',
        'a text and images near it',
      ],
    ]);
    addDrawingOptions(command, {
      prompt: PROMPT,
      'from-file': NO_DEFAULT,
      outdir: 'outputs/txt2img-samples',
      skip_grid: NO_DEFAULT,
      ddim_steps: 50,
      n_repeat: 1,
      plms: NO_DEFAULT,
      ddim_eta: 0,
      n_iter: 1,
      H: OF_MODEL,
      W: OF_MODEL,
      n_samples: 3,
      n_rows: ROWS,
      scale: 5,
    })
      .option('--use_neighbors', 'condition on the nearest images of the database, too')
      .option('--knn <n>', 'how many of them', integerFrom(1), 10)
      .option(
        '--database <name>',
        'folder of a database, or a name below data/rdm/retrieval_databases',
        'artbench-surrealism',
      )
      .option('--clip <file>', 'CLIP weights (default: those of ldm download clip)')
      .addOption(
        new Option('--clip_type <name>', 'which CLIP model, without --clip').choices(clipVersions).default('ViT-L/14'),
      );
    addModelOptions(command, ZOO).action(async (flags: Knn2ImgFlags) => {
      const output = outputOf(command);
      samplerOf(flags);
      const texts = textsOf(flags.fromFile);
      const batches = texts ? chunks(texts, flags.n_samples) : [Array<string>(flags.n_samples).fill(flags.prompt)];
      await interruptible(async (signal) => {
        // The texts come first: a wrong database or text is told before the large model is read, and CLIP's memory is free then.
        const conditions = await embed(batches, flags, output, signal);
        const opened = await openZooModel(flags, ZOO);
        try {
          const drawn = await withWeights(opened, () => draw(opened, conditions, flags, signal, output));
          output.result(drawn, () => [...drawn.images, ...drawn.grids].join('\n'));
        } finally {
          opened.model.dispose();
        }
      });
    });
  },
};

/** One batch of texts: what the model is conditioned on, and where it came from. */
interface Condition {
  prompts: readonly string[];
  /** [n, tokens, d] */
  embeddings: Tensor;
  neighbours: readonly (readonly Neighbour[])[];
}

async function embed(
  batches: readonly (readonly string[])[],
  flags: Knn2ImgFlags,
  output: Output,
  signal: AbortSignal,
): Promise<Condition[]> {
  const database = flags.use_neighbors ? await RetrievalDatabase.open(databaseFolder(flags.database)) : undefined;
  try {
    if (database?.warning) output.warn(database.warning);
    using embedder = await loadClipTextEmbedder(flags.clip ?? findClipWeights(flags.clip_type), {
      nRepeat: flags.n_repeat,
      signal,
    });
    const conditions: Condition[] = [];
    for (const prompts of batches) {
      const text = await embedder.encode(prompts, { signal });
      const found = await database?.search(text.select(1, 0), flags.knn);
      const embeddings = found ? Tensor.cat([text, found.embeddings], 1) : text;
      conditions.push({ prompts, embeddings, neighbours: found?.neighbours ?? [] });
    }
    return conditions;
  } finally {
    database?.dispose();
  }
}

/** A folder as it is, or a name below the place of the official databases. */
function databaseFolder(name: string): string {
  if (fs.existsSync(name)) return name;
  const folder = path.join(process.env.LDM_DATA || 'data', 'rdm/retrieval_databases', name);
  if (fs.existsSync(folder)) return folder;
  throw new UsageError(
    `There is no database ${name}, neither here nor as ${folder}. Get the official ones from ` +
      'https://ommer-lab.com/files/rdm/artbench_databases.zip (82 MB) and openimages_database.zip (11 GB) beside it, unpacked into ' +
      `${path.dirname(folder)}, or build one: ldm index IMAGES -o DIR.`,
  );
}

interface Drawn {
  images: string[];
  grids: string[];
  settings: object;
}

async function draw(
  opened: OpenedModel,
  conditions: readonly Condition[],
  flags: Knn2ImgFlags,
  signal: AbortSignal,
  output: Output,
): Promise<Drawn> {
  const model = latentModel(opened);
  const size = sizeOf(model, flags);
  const sampler = samplerOf(flags);
  const settings = {
    checkpoint: opened.checkpoint,
    global_step: opened.globalStep,
    sampler,
    steps: flags.ddim_steps,
    eta: flags.ddim_eta,
    scale: flags.scale,
    ...size,
    seed: flags.seed,
    ema: opened.ema,
    ...(flags.use_neighbors ? { database: flags.database, knn: flags.knn } : {}),
  };
  const samplePath = path.join(flags.outdir, 'samples');
  let next = nextNumber(samplePath, /^(\d+)\.png$/);
  let gridNumber = nextNumber(flags.outdir, /^grid-(\d+)\.png$/, 'samples');
  const progress = new Progress(output, { label: 'sampling', total: 1 });
  const drawn: Drawn = { images: [], grids: [], settings };
  const runs = flags.n_iter * conditions.length;
  for (let iteration = 0, run = 0; iteration < flags.n_iter; iteration++) {
    const all: Pictures[] = [];
    for (const { prompts, embeddings, neighbours } of conditions) {
      const pictures = await takePictures(
        await retrievalToImage(model, {
          embeddings: embeddings.to({ device: model.device }),
          scale: flags.scale,
          sampler,
          steps: flags.ddim_steps,
          eta: flags.ddim_eta,
          ...size,
          random: opened.random,
          precision: opened.precision,
          tile: opened.tile,
          signal,
          onProgress: ({ step, total }) => progress.update(run * total + step, {}, runs * total),
        }),
      );
      run++;
      for (const [k, prompt] of prompts.entries()) {
        const file = path.join(samplePath, `${String(next++).padStart(5, '0')}.png`);
        await savePicture(file, pictures, k, { prompt, ...settings, iteration, neighbours: neighbours[k] ?? [] });
        drawn.images.push(file);
      }
      all.push(pictures);
    }
    if (flags.skip_grid) continue;
    const grid = path.join(flags.outdir, `grid-${String(gridNumber++).padStart(4, '0')}.png`);
    const prompts = conditions.flatMap((condition) => condition.prompts);
    await saveGrid(grid, all, flags.n_rows || flags.n_samples, {
      prompts: [...new Set(prompts)],
      ...settings,
      iteration,
    });
    drawn.grids.push(grid);
  }
  progress.end();
  return drawn;
}
