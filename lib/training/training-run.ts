/**
 * A training as the reference's main.py sets it up: configs merged from left to right and overridden, learning rate
 * scaled, log folder, callbacks, resume. What can be wrong with them is found before anything is written.
 */
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
import type { DataLoader } from '../data/data-loader';
import { DataModuleFromConfig } from '../data/data-module';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import { withoutCheckpoints } from '../models/load-model';
import { createLrScheduler } from '../models/lr-schedulers';
import type { Module } from '../models/module';
import { instantiateFromConfig } from '../models/registry';
import { Generator } from '../random';
import { makeCallbacks, trainerOptions } from './lightning-section';
import { LogFolder } from './log-folder';
import { MetricsLogger } from './metrics';
import { preparePerceptualLoss } from './perceptual-weights';
import type { TrainProgress } from './progress';
import { type FitResult, type LearningRateSchedule, Trainer } from './trainer';

/** Options of {@link TrainingRun.prepare}; the names are main.py's where it has them. */
export interface TrainingRunOptions {
  /** Config files, merged from left to right, or a config. */
  base?: readonly string[] | Config;
  /** Overrides `a.b.c=value`. */
  overrides?: readonly string[];
  /** A log folder or a checkpoint in one: its configs come first, training goes on there. */
  resume?: string;
  /** Name of the log folder; default: the first config's. */
  name?: string;
  postfix?: string;
  /** Parent of the log folder. Default 'logs'. */
  logdir?: string;
  /** Default 23. */
  seed?: number;
  /** Multiply the base learning rate with accumulated batches and batch size. Default true. */
  scaleLr?: boolean;
  /** A folder of images in place of the `data` section. */
  data?: string;
  device?: string;
  /** These three win over lightning.trainer. */
  maxSteps?: number;
  maxTime?: number;
  precision?: CallOptions['precision'];
  /** In place of the model's scheduler_config. */
  schedule?: LearningRateSchedule;
  /** What to do when something is not finite; default 'error'. */
  onNan?: 'error' | 'skip';
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
  readonly folder: LogFolder;
  readonly model: Module;
  readonly data: DataModuleFromConfig;
  readonly learningRate: number;
  readonly trainer: Trainer;
  /** Images of one optimizer step. */
  readonly imagesPerStep: number;
  /** What is trained on what, for people. */
  readonly description: string;
  readonly #train: DataLoader;
  readonly #validation: DataLoader | undefined;
  readonly #checkpoint: string | undefined;
  readonly #logger: MetricsLogger;

  private constructor(parts: {
    config: Config;
    folder: LogFolder;
    model: Module;
    data: DataModuleFromConfig;
    learningRate: number;
    trainer: Trainer;
    imagesPerStep: number;
    description: string;
    train: DataLoader;
    validation: DataLoader | undefined;
    checkpoint: string | undefined;
    logger: MetricsLogger;
  }) {
    this.config = parts.config;
    this.folder = parts.folder;
    this.model = parts.model;
    this.data = parts.data;
    this.learningRate = parts.learningRate;
    this.trainer = parts.trainer;
    this.imagesPerStep = parts.imagesPerStep;
    this.description = parts.description;
    this.#train = parts.train;
    this.#validation = parts.validation;
    this.#checkpoint = parts.checkpoint;
    this.#logger = parts.logger;
  }

  /**
   * Reads configs and data, creates the model. Nothing is written before {@link fit}.
   * @throws LdmError ERR_CONFIG, ERR_FILE, ERR_DATA, ERR_DEVICE, ERR_MISSING_WEIGHTS
   */
  static async prepare(options: TrainingRunOptions): Promise<TrainingRun> {
    if (options.name && options.resume)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'A name and a log folder to resume exclude each other: a resumed run goes on in its folder.',
      );
    const resumed = options.resume === undefined ? undefined : LogFolder.forResume(options.resume);
    const config = mergedConfig(options, resumed?.configs ?? []);
    // The checkpoint of a resumed run brings every weight.
    const project = resolveProject(resumed ? withoutCheckpoints(config) : config);
    const fixed = trainerOptions(project.lightning.trainer);
    const seed = options.seed ?? 23;

    const data = DataModuleFromConfig.fromConfig(config.get('data'));
    const loading = { seed, onBadFile: options.onBadFile, onSkip: options.onSkip };
    const train = data.trainLoader(loading);
    const validation = data.validationLoader(loading);
    await train.check();

    const images = (fixed.accumulateGradBatches ?? 1) * data.batchSize;
    const learningRate = baseLearningRate(project) * ((options.scaleLr ?? true) ? images : 1);
    const generator = new Generator(seed);
    const device = options.device ?? 'cpu';
    const init = resumed ? 'empty' : 'random';
    const model = await instantiateFromConfig(project.model, { device, random: generator, init });
    try {
      await preparePerceptualLoss(model, { file: options.vgg, resumed: resumed !== undefined });
    } catch (error) {
      model.dispose();
      throw error;
    }

    const folder = resumed?.folder ?? LogFolder.forRun({ logdir: options.logdir ?? 'logs', ...nameOf(options) });
    const callbacks = makeCallbacks(project.lightning, folder, { validated: validation !== undefined });
    const schedule = options.schedule ?? scheduleOf(project.model);
    const logger = new MetricsLogger(folder.metrics, folder.events);
    const trainer = new Trainer({
      ...fixed,
      logdir: folder.root,
      learningRate,
      schedule,
      maxSteps: options.maxSteps ?? fixed.maxSteps,
      maxTime: options.maxTime ?? fixed.maxTime,
      seed,
      // The reference's constructors and steps draw from one stream.
      generator: device === 'cpu' ? generator : undefined,
      precision: options.precision ?? fixed.precision,
      onNan: options.onNan,
      callbacks,
      logger,
      onProgress: options.onProgress,
      onInfo: options.onInfo,
    });
    const checkpoint = resumed?.checkpoint;
    return new TrainingRun({
      config,
      folder,
      model,
      data,
      learningRate,
      trainer,
      imagesPerStep: images,
      description: describe(project.model, data, learningRate, folder),
      train,
      validation,
      checkpoint,
      logger,
    });
  }

  /** Makes the log folder and trains until a limit or an interruption. */
  async fit(): Promise<FitResult> {
    const { config, data } = this;
    this.folder.create(config.pick('model', 'data').toYaml(), config.pick('lightning').toYaml(), data.classNames);
    try {
      return await this.trainer.fit(this.model, this.#train, {
        validation: this.#validation,
        checkpoint: this.#checkpoint,
      });
    } finally {
      this.#logger.close();
    }
  }

  /** Images that could not be read so far. */
  get skippedImages(): string[] {
    return [...this.#train.skipped, ...(this.#validation?.skipped ?? [])];
  }

  /** Frees the model and ends the threads that read images. */
  dispose(): void {
    this.model.dispose();
    void this.data.close();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function mergedConfig(options: TrainingRunOptions, resumed: readonly string[]): Config {
  const { base = [], overrides = [], data } = options;
  const own = base instanceof Config ? base : loadConfig([...resumed, ...base]);
  const config = base instanceof Config && resumed.length > 0 ? loadConfig(resumed).merge(own) : own;
  const changes = parseDotlist(overrides);
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

function describe(model: ResolvedNode, data: DataModuleFromConfig, learningRate: number, folder: LogFolder): string {
  const classes = data.classNames.length > 0 ? ` in ${data.classNames.length} classes` : '';
  return [
    `Model:    ${model.target}`,
    `Data:     ${[...data.datasets].map(([split, set]) => `${set.length} images (${split})`).join(', ')}${classes}, batches of ${data.batchSize}`,
    `Learning rate ${learningRate.toExponential(2)}, log folder ${folder.root}`,
  ].join('\n');
}

function scheduleOf(node: ResolvedNode): LearningRateSchedule | null {
  const config = node.params.scheduler_config as ResolvedNode | null | undefined;
  if (!config) return null;
  const scheduler = createLrScheduler(config);
  return (step) => scheduler.schedule(step);
}
