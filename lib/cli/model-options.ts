/** The options that all commands with a trained diffusion model share, and how they get it. */
import fs from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../config';
import { configureBackend } from '../kernels';
import { bundledModel } from '../models/bundled-model';
import { DDPM } from '../models/ddpm';
import { LatentDiffusion } from '../models/latent-diffusion';
import { type LoadedModel, loadModel } from '../models/load-model';
import { type ZooModel, zooConfig } from '../models/model-zoo';
import { Generator } from '../random';
import { UsageError } from './errors';
import { compactFor, tileOption } from './saving-options';
import { integerFrom } from './values';

export interface ModelFlags {
  config?: string;
  ckpt?: string;
  device: string;
  precision: PrecisionFlag;
  cudaGraphs?: boolean;
  tile?: number;
  ema?: boolean;
  seed: number;
}

type Precision = 'fp32' | 'bf16' | 'fp16';
type PrecisionFlag = Precision | 'autocast';

function precision(text: string): PrecisionFlag {
  if (text === 'full') return 'fp32';
  if (['fp32', 'bf16', 'fp16', 'autocast'].includes(text)) return text as PrecisionFlag;
  throw new InvalidArgumentError('Expected fp32 (or full), bf16, fp16 or autocast.');
}

/** Adds `--device`, `--precision`, `--cuda-graphs`, `--tile`, `--ema`, `--no-ema` and `--seed`. */
export function addRunOptions(command: Command, seed: number): Command {
  return command
    .option('--seed <n>', 'seed of the noise', integerFrom(0), seed)
    .option('--ema', 'use the averaged weights (default: where the checkpoint has them)')
    .option('--no-ema', 'use the weights of the last step')
    .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
    .option(
      '--precision <type>',
      'number format: fp32 (or full), bf16, fp16 (CUDA only), or autocast (fp16 on CUDA, fp32 elsewhere)',
      precision,
      'fp32',
    )
    .option('--cuda-graphs', 'record the kernels of a sampling step on a GPU and replay them (libtorch 2.13 or newer)')
    .addOption(tileOption());
}

/** Adds {@link addRunOptions} and which model: by default that of the zoo which the original script uses. */
export function addModelOptions(command: Command, zoo: ZooModel, seed = 42): Command {
  command
    .option('-m, --config <path>', `config file, or log folder of a training (default: ${zoo.config})`)
    .option('--ckpt <file>', `checkpoint (default: that of the log folder or beside the config, or ${zoo.checkpoint})`);
  return addRunOptions(command, seed);
}

/** A diffusion model that is ready to sample. */
export interface OpenedModel extends LoadedModel {
  model: DDPM;
  /** Whether the averaged weights are wanted. */
  ema: boolean;
  /** Where the run's noise comes from. */
  random: Generator;
  precision: Precision;
  /** Side of the tiles by which the first stage works. */
  tile?: number;
}

export interface OpenModelOptions {
  /** Take the bundled model where neither the flags name one nor the zoo's checkpoint is there, and tell so. */
  orBundled?: (note: string) => void;
  overrides?: readonly string[];
  /** Draw the initial weights of such a model with the seed first, as scripts do that seed before they build the model. */
  seedBeforeModel?: (config: Config) => boolean;
}

/** Opens the model that the flags name, else that of the zoo. */
export async function openZooModel(flags: ModelFlags, zoo: ZooModel, options?: OpenModelOptions): Promise<OpenedModel> {
  const { config, ckpt } = flags;
  if (config || ckpt) return openModel(config ?? zooConfig(zoo), flags, options);
  if (options?.orBundled && !fs.existsSync(zoo.checkpoint)) {
    options.orBundled(
      `There is no ${zoo.checkpoint} (to be had from ${zoo.url}): drawing with the small bundled model, 64x64 pixels, emoji and avatars.`,
    );
    return openModel(bundledModel(), flags, options);
  }
  return openModel(zooConfig(zoo), { ...flags, ckpt: zoo.checkpoint }, options);
}

/**
 * Opens a model and the stream of its noise.
 * @throws LdmError for files that are missing or do not fit; UsageError for a model that cannot draw
 */
export async function openModel(
  source: string,
  flags: ModelFlags,
  { overrides = [], seedBeforeModel }: OpenModelOptions = {},
): Promise<OpenedModel> {
  const { device } = flags;
  if (flags.cudaGraphs && device === 'cpu')
    throw new UsageError('--cuda-graphs is for a GPU: give --device cuda, or leave it out.');
  if (flags.cudaGraphs) configureBackend({ graphs: true });
  const autocast = device === 'cpu' ? 'fp32' : 'fp16';
  const chosen = flags.precision === 'autocast' ? autocast : flags.precision;
  if (chosen === 'fp16' && device === 'cpu')
    throw new UsageError('--precision fp16 is for CUDA (--device cuda). On the CPU use bf16, or fp32.');
  const random = new Generator(flags.seed, device);
  // Weights are drawn on the CPU: the stream of another device begins after the model in any case.
  const loaded = await loadModel(source, {
    checkpoint: flags.ckpt,
    overrides,
    device,
    random: (config) => (seedBeforeModel?.(config) && device === 'cpu' ? random : undefined),
    compact: compactFor(chosen, device) ?? true,
  });
  try {
    const { model, hasEma } = loaded;
    if (!(model instanceof DDPM))
      throw new UsageError(
        'This is an autoencoder: it cannot draw by itself. See `ldm reconstruct`, or give a diffusion model.',
      );
    if (flags.ema && !hasEma) throw new UsageError(`${loaded.checkpoint} has no averaged weights: leave --ema out.`);
    return { ...loaded, model, random, ema: flags.ema ?? hasEma, precision: chosen, tile: flags.tile };
  } catch (error) {
    loaded.model.dispose();
    throw error;
  }
}

/** The model as a latent diffusion model. @throws UsageError for one in pixel space */
export function latentModel({ model }: OpenedModel): LatentDiffusion {
  if (model instanceof LatentDiffusion) return model;
  throw new UsageError('This command needs a latent diffusion model, but this one diffuses pixels. See `ldm sample`.');
}

/** Runs `fn` with the averaged weights where they are wanted. */
export function withWeights<T>(opened: OpenedModel, fn: () => Promise<T>): Promise<T> {
  return opened.ema ? opened.model.emaScope(fn) : fn();
}
