/**
 * A training as the reference's main.py sets it up: configs merged from left to right and overridden, learning rate
 * scaled, log folder, callbacks, resume. What can be wrong with them is found before anything is written.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  Config,
  type ConfigMap,
  loadConfig,
  parseDotlist,
  type ResolvedNode,
  type ResolvedProject,
  resolveProject,
} from '../config';
import type { ResolvedLightning } from '../config/lightning';
import type { DataLoader } from '../data/data-loader';
import { DataModuleFromConfig } from '../data/data-module';
import { layoutReader } from '../data/objects/read-layout';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import { Layout2ImgDiffusion } from '../models/layout2img-diffusion';
import { withoutCheckpoints } from '../models/load-model';
import { createLrScheduler, type LrScheduler } from '../models/lr-schedulers';
import type { Module } from '../models/module';
import { instantiateFromConfig } from '../models/registry';
import { native } from '../native';
import { Generator } from '../random';
import type { Callback } from './callbacks/callback';
import { checkClasses } from './class-check';
import { makeCallbacks } from './lightning-section';
import { LogFolder } from './log-folder';
import { JsonLinesLogger } from './loggers/json-lines';
import { lightningLogger } from './loggers/lightning';
import { MetricsLogger } from './loggers/logger';
import { withMeasuredScale } from './measured-scale';
import type { Metrics } from './metrics';
import { withNewestCheckpoints } from './newest-checkpoint';
import type { FirstMoment } from './optimizer';
import { preparePerceptualLoss } from './perceptual-weights';
import type { TrainProgress } from './progress';
import { Trainable } from './trainable';
import { Trainer } from './trainer';
import { type TrainerSetup, trainerSetup } from './trainer-arguments';
import type { FitResult, LearningRateSchedule } from './trainer-options';

/** Options of {@link TrainingRun.prepare}; the names are main.py's where it has them. */
export interface TrainingRunOptions {
  /** Config files, merged from left to right, or a config. */
  base?: readonly string[] | Config;
  /** Overrides `a.b.c=value`. */
  overrides?: readonly string[];
  /**
   * A log folder, or a checkpoint in one, whose training goes on there; its configs come before those of `base`. A
   * checkpoint that lies elsewhere, such as an official one, goes on in a new log folder.
   */
  resume?: string;
  /** Name of the run; default: the first config's. Not together with `resume`. */
  name?: string;
  postfix?: string;
  /** Parent of the log folder. Default 'logs'. */
  logdir?: string;
  /** Default 23. */
  seed?: number;
  /** Multiply the base learning rate with accumulated batches and batch size. Default true. */
  scaleLr?: boolean;
  /** Move the log folder of a new run to `debug_runs` beside it when the run is over. Default false. */
  debug?: boolean;
  /** A folder of images in place of the `data` section. */
  data?: string;
  /** 'cpu', 'cuda' or 'cuda:N'. Default: what `lightning.trainer.gpus` names, or the CPU. */
  device?: string;
  /** Keep a moving average of the weights (`model.params.use_ema`). Default: as the config says. */
  ema?: boolean;
  /** These three win over lightning.trainer. */
  maxSteps?: number;
  maxTime?: number;
  precision?: CallOptions['precision'];
  /** In place of the model's scheduler_config. */
  schedule?: LearningRateSchedule;
  /** What to do when something is not finite; default 'error'. */
  onNan?: 'error' | 'skip';
  /** As in TrainerOptions; all false by default. */
  exactLogs?: boolean;
  reuseReconstructions?: boolean;
  wholeSteps?: boolean;
  /** As in TrainerOptions; default 'fp32'. */
  firstMoment?: FirstMoment;
  /** File of the VGG16 weights for the perceptual loss; default: where `ldm download lpips` puts it. */
  vgg?: string;
  /** What to do about an image that cannot be read; default 'skip'. */
  onBadFile?: 'error' | 'skip';
  onInfo?: (message: string) => void;
  /** Called for each image that cannot be read. */
  onSkip?: (name: string, error: Error, skipped: number) => void;
  onProgress?: (progress: TrainProgress) => void;
}

/** Batch size of `--data` where no config tells one. */
const FOLDER_BATCH_SIZE = 4;

/** A training that is ready to start. */
export class TrainingRun {
  readonly config: Config;
  readonly model: Module;
  readonly data: DataModuleFromConfig;
  readonly learningRate: number;
  readonly trainer: Trainer;
  /** Images of one optimizer step. */
  readonly imagesPerStep: number;
  /** What is trained on what, for people. */
  readonly description: string;
  readonly #parts: RunParts;
  #folder: LogFolder;
  #trained = false;

  private constructor(parts: RunParts) {
    this.#parts = parts;
    this.config = parts.config;
    this.#folder = parts.folder;
    this.model = parts.model;
    this.data = parts.data;
    this.learningRate = parts.learningRate;
    this.trainer = parts.trainer;
    this.imagesPerStep = parts.imagesPerStep;
    this.description = parts.description;
  }

  /**
   * Reads configs and data, creates the model. Nothing is written before {@link fit}.
   * @throws LdmError ERR_CONFIG, ERR_FILE, ERR_DATA, ERR_DEVICE, ERR_MISSING_WEIGHTS
   */
  static async prepare(options: TrainingRunOptions): Promise<TrainingRun> {
    if (options.name && options.resume)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'A name and a log folder to resume exclude each other: a resumed run goes on in its folder. For a new folder give the checkpoint as lightning.trainer.resume_from_checkpoint.',
      );
    const resumed = options.resume === undefined ? undefined : LogFolder.forResume(options.resume);
    const given = mergedConfig(options, resumed?.configs ?? []);
    const resumeFrom = resumed?.checkpoint ?? checkpointToResume(given);
    const merged =
      resumeFrom === undefined
        ? withMeasuredScale(withNewestCheckpoints(given, options.onInfo), options.onInfo)
        : given;
    // The checkpoint of a resumed run brings every weight.
    const config = resumeFrom === undefined ? merged : withoutCheckpoints(merged);
    const project = resolveProject(config);
    const setup = trainerSetup(project.lightning.trainer, (name) => merged.isFloat(`lightning.trainer.${name}`));
    for (const note of setup.notes) options.onInfo?.(note);
    const seed = options.seed ?? 23;

    const data = DataModuleFromConfig.fromConfig(merged.get('data'));
    checkClasses(project.model, data);
    const loading = { seed, onBadFile: options.onBadFile, onSkip: options.onSkip };
    const train = data.trainLoader({ ...loading, ...(setup.shuffle ? {} : { shuffle: false }) });
    const validation = data.loader('validation', loading);
    const test = data.loader('test', loading);
    await train.check();

    const accumulate = setup.options.accumulateGradBatches ?? 1;
    const images = accumulate * data.batchSize;
    const baseRate = baseLearningRate(project);
    const learningRate = baseRate * ((options.scaleLr ?? true) ? images : 1);
    const rate =
      (options.scaleLr ?? true)
        ? `Learning rate ${show(learningRate)} = ${accumulate} (accumulate_grad_batches) * 1 (devices) * ${data.batchSize} (batch size) * ${show(baseRate)} (base rate)`
        : `Learning rate ${show(learningRate)}, not scaled`;
    const generator = new Generator(seed);
    const device = options.device ?? setup.device ?? 'cpu';
    const init = resumeFrom === undefined ? 'random' : 'empty';
    const model = await instantiateFromConfig(project.model, { device, random: generator, init });
    if (model instanceof Layout2ImgDiffusion)
      model.readLayout = layoutReader(data.datasets.get('train'), model.params.cond_stage_key as string);
    try {
      await preparePerceptualLoss(model, { file: options.vgg, resumed: resumeFrom !== undefined });

      const folder = resumed?.folder ?? LogFolder.forRun({ logdir: options.logdir ?? 'logs', ...nameOf(options) });
      const files = setup.fastDevRun
        ? NO_FILES
        : runFiles(project.lightning, folder, model, options, setup, validation);
      native().configureBackend(setup.backend);
      const trainer = new Trainer({
        ...setup.options,
        ...files,
        logdir: folder.root,
        learningRate,
        lrScheduler: options.schedule ? null : schedulerOf(project.model),
        schedule: options.schedule,
        maxSteps: options.maxSteps ?? setup.options.maxSteps,
        maxTime: options.maxTime ?? setup.options.maxTime,
        seed,
        // The reference's constructors and steps draw from one stream.
        generator: device === 'cpu' ? generator : undefined,
        precision: options.precision ?? setup.options.precision,
        onNan: options.onNan,
        exactLogs: options.exactLogs,
        reuseReconstructions: options.reuseReconstructions,
        wholeSteps: options.wholeSteps,
        firstMoment: options.firstMoment,
        onProgress: options.onProgress,
        onInfo: options.onInfo,
      });
      return new TrainingRun({
        config: merged,
        folder,
        writes: !setup.fastDevRun,
        movesTo: options.debug && !resumed ? 'debug_runs' : null,
        model,
        data,
        learningRate,
        trainer,
        imagesPerStep: images,
        description: describe(project.model, data, rate, folder),
        train,
        validation,
        test,
        checkpoint: resumeFrom,
        logger: files.logger,
      });
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** The log folder; with `debug` another one after {@link finish}. */
  get folder(): LogFolder {
    return this.#folder;
  }

  /** Whether there are data to {@link test} on. */
  get hasTest(): boolean {
    return this.#parts.test !== undefined;
  }

  /** Makes the log folder and trains until a limit or an interruption. */
  async fit(): Promise<FitResult> {
    const { config, data } = this;
    const { train, validation, checkpoint } = this.#parts;
    if (this.#parts.writes)
      this.folder.create(config.pick('model', 'data').toYaml(), config.pick('lightning').toYaml(), data.classNames);
    const result = await this.trainer.fit(this.model, train, { validation, checkpoint });
    this.#trained = true;
    return result;
  }

  /**
   * The means of the losses over the test data, named `test/...`: of the trained model, or of the checkpoint that was to be
   * resumed.
   * @throws LdmError ERR_CONFIG when the config has no test data set
   */
  async test(): Promise<Metrics> {
    const { test, checkpoint } = this.#parts;
    if (!test) throw new LdmError('ERR_CONFIG', "The data section has no 'test' data set.");
    return this.trainer.test(this.model, test, this.#trained ? {} : { checkpoint });
  }

  /** Closes the metrics' files and, with `debug`, moves the log folder to `debug_runs`. */
  finish(): void {
    this.#parts.logger?.close();
    const { movesTo } = this.#parts;
    if (movesTo !== null && fs.existsSync(this.folder.root)) this.#folder = this.folder.moveInto(movesTo);
  }

  /** Images that could not be read so far. */
  get skippedImages(): string[] {
    const { train, validation, test } = this.#parts;
    return [train, validation, test].flatMap((loader) => loader?.skipped ?? []);
  }

  /** Frees the model, closes files and ends the threads that read images. */
  dispose(): void {
    this.#parts.logger?.close();
    this.model.dispose();
    void this.data.close();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

interface RunParts {
  config: Config;
  folder: LogFolder;
  /** Whether the run has a log folder. */
  writes: boolean;
  /** Folder beside the log folder into which that moves at the end. */
  movesTo: string | null;
  model: Module;
  data: DataModuleFromConfig;
  learningRate: number;
  trainer: Trainer;
  imagesPerStep: number;
  description: string;
  train: DataLoader;
  validation: DataLoader | undefined;
  test: DataLoader | undefined;
  checkpoint: string | undefined;
  logger: MetricsLogger | undefined;
}

/** What of a run writes files. */
interface RunFiles {
  callbacks: Callback[];
  logger: MetricsLogger | undefined;
}
const NO_FILES: RunFiles = { callbacks: [], logger: undefined };

function runFiles(
  lightning: ResolvedLightning,
  folder: LogFolder,
  model: Module,
  { onInfo }: TrainingRunOptions,
  setup: TrainerSetup,
  validation: DataLoader | undefined,
): RunFiles {
  const trainable = new Trainable(model);
  const { limitValBatches, valCheckInterval } = setup.options;
  return {
    callbacks: makeCallbacks(lightning, {
      checkpoints: folder.checkpoints,
      validated: validation !== undefined && limitValBatches !== 0,
      validatesAtEpochEnd: valCheckInterval == null,
      onInfo,
    }),
    logger: new MetricsLogger(
      new JsonLinesLogger(folder.metrics),
      lightningLogger(lightning.logger, { saveDir: folder.root, isForked: (name) => trainable.isForked(name) }),
    ),
  };
}

/** The file that `lightning.trainer.resume_from_checkpoint` names. */
function checkpointToResume(config: Config): string | undefined {
  const file = config.get('lightning.trainer.resume_from_checkpoint');
  if (file === undefined || file === null) return undefined;
  if (typeof file === 'string' && fs.existsSync(file)) return path.resolve(file);
  throw new LdmError('ERR_FILE', `There is no checkpoint ${file} (lightning.trainer.resume_from_checkpoint).`);
}

function mergedConfig(options: TrainingRunOptions, resumed: readonly string[]): Config {
  const { base = [], overrides = [], data, ema } = options;
  const own = base instanceof Config ? base : loadConfig([...resumed, ...base]);
  const config = base instanceof Config && resumed.length > 0 ? loadConfig(resumed).merge(own) : own;
  const changes = parseDotlist(ema === undefined ? overrides : [...overrides, `model.params.use_ema=${ema}`]);
  if (data === undefined) return config.merge(changes);
  const sections = Object.keys(config.values).filter((section) => section !== 'data');
  const size = imageSizeOf(config.get('model') as ConfigMap | undefined);
  const batchSize = Number(config.get('data.params.batch_size') ?? FOLDER_BATCH_SIZE);
  const section = DataModuleFromConfig.sectionForFolder(path.resolve(data), { size, batchSize });
  return config
    .pick(...sections)
    .merge(Config.from({ data: section }, '--data'))
    .merge(changes);
}

/** Side of the pixel images that a model works on: the first stage's resolution, or the diffusion model's image_size. */
export function imageSizeOf(model: ConfigMap | undefined): number {
  const node = Config.from({ model: model ?? null });
  const places = [
    'model.params.ddconfig.resolution',
    'model.params.first_stage_config.params.ddconfig.resolution',
    'model.params.image_size',
  ];
  const size = places.map((place) => node.get(place)).find((value) => typeof value === 'number');
  if (size === undefined)
    throw new LdmError(
      'ERR_CONFIG',
      `The config does not tell the size of the images: expected a number at ${places.join(' or ')}. Give it with data.params.train.params.size=256.`,
    );
  return Number(size);
}

function baseLearningRate({ baseLearningRate: rate }: ResolvedProject): number {
  if (rate !== null && rate > 0) return rate;
  throw new LdmError(
    'ERR_CONFIG',
    `Expected a positive model.base_learning_rate but found ${rate}. Add it to the config, or as model.base_learning_rate=4.5e-6.`,
  );
}

function nameOf({ name, base, postfix }: TrainingRunOptions): { name: string; postfix?: string } {
  if (name) return { name, postfix };
  const first = base instanceof Config ? undefined : base?.[0];
  return { name: first ? path.basename(first, path.extname(first)) : '', postfix };
}

/** As main.py shows rates: `2.00e-4`. */
function show(rate: number): string {
  return rate.toExponential(2);
}

function describe(model: ResolvedNode, data: DataModuleFromConfig, rate: string, folder: LogFolder): string {
  const classes = data.classNames.length > 0 ? ` in ${data.classNames.length} classes` : '';
  return [
    `Model:    ${model.target}`,
    `Data:     ${[...data.datasets].map(([split, set]) => `${Number.isFinite(set.length) ? set.length : 'an unknown number of'} images (${split})`).join(', ')}${classes}, batches of ${data.batchSize}`,
    rate,
    `Log folder: ${folder.root}`,
  ].join('\n');
}

function schedulerOf(node: ResolvedNode): LrScheduler | null {
  const config = node.params.scheduler_config as ResolvedNode | null | undefined;
  return config ? createLrScheduler(config) : null;
}
