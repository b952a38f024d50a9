/** A trained model from what training left: a log folder, or a config and a checkpoint. */
import fs from 'node:fs';
import path from 'node:path';
import { type Checkpoint, readCheckpoint } from '../checkpoint';
import { Config, type ConfigMap, loadConfig, parseDotlist, resolveNode } from '../config';
import { LdmError } from '../errors';
import type { RandomSource } from '../job';
import { classNamesOf, configsOf } from '../training/log-folder';
import { compactLike } from './compact-like';
import { SCHEDULE_BUFFERS } from './ddpm';
import { howToGet } from './model-zoo';
import type { CreateOptions, Module } from './module';
import { instantiateFromConfig } from './registry';

export interface LoadModelOptions extends Omit<CreateOptions, 'init' | 'random'> {
  /**
   * Checkpoint; default: `checkpoints/last.ckpt` of the log folder, or `model.ckpt` or `last.ckpt` beside the config.
   */
  checkpoint?: string;
  /**
   * Draw the initial weights from this source before the checkpoint replaces them. Scripts of the reference that seed first
   * and build the model then draw their noise where that leaves the CPU's stream. A function is asked with the config.
   */
  random?: RandomSource | ((config: Config) => RandomSource | undefined);
  /**
   * true: store weights that the file has in half precision so, see {@link Module.compact}: the same numbers in half the memory.
   * 'bfloat16' rounds the weights of linear maps and convolutions to that, in half the memory: what computing with
   * `precision: 'bf16'` would round them to at each use.
   */
  compact?: boolean | 'bfloat16';
  /** Overrides `a.b.c=value`. */
  overrides?: readonly string[];
}

/** A model and where it came from. */
export interface LoadedModel {
  model: Module;
  config: Config;
  checkpoint: string;
  globalStep: number | null;
  /** Whether the checkpoint has averaged weights. */
  hasEma: boolean;
  /** Names of the classes that it was trained on, where the log folder tells them. */
  classNames: readonly string[];
}

/**
 * What may be absent: weights that only training needs, the moving average, what follows from the config (converted files of
 * Stable Diffusion lack it), and what open_clip's text model has and does not use here.
 */
const OPTIONAL = [
  'loss.',
  'model_ema.',
  ...SCHEDULE_BUFFERS,
  'cond_stage_model.model.logit_scale',
  'cond_stage_model.model.text_projection',
  // Never computed with: text transformers return what comes before their logits.
  'cond_stage_model.transformer.to_logits.',
];

/**
 * Creates the model of a config and loads its checkpoint; it is in evaluation mode.
 * @param source a log folder, a folder with config.yaml, a config file, or a checkpoint in one of these folders
 * @throws LdmError ERR_FILE, ERR_CONFIG, ERR_CHECKPOINT, ERR_MISSING_KEYS
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const { checkpoint: given, overrides = [], random, compact = false, ...create } = options;
  const { configs, file, classNames } = locateModel(source, given && existing(given));
  using checkpoint = await readCheckpoint(file);
  const config = withAveragesOf(checkpoint, withoutCheckpoints(loadConfig(configs)).merge(parseDotlist(overrides)));
  const drawn = typeof random === 'function' ? random(config) : random;
  const init = drawn ? 'random' : 'empty';
  const model = await instantiateFromConfig(config.get('model') as never, { ...create, random: drawn, init });
  try {
    if (compact === 'bfloat16') await model.compact(compact, { keep: false });
    else if (compact) await compactLike(model, checkpoint.stateDict);
    const report = await model.loadStateDict(checkpoint.stateDict, { strict: false, source: file });
    const missing = report.missing.filter((key) => !OPTIONAL.some((prefix) => key.startsWith(prefix)));
    if (missing.length > 0)
      throw new LdmError(
        'ERR_MISSING_KEYS',
        `${file} lacks ${missing.length} of the model's weights, such as ${missing.slice(0, 4).join(', ')}. Use the config that belongs to it.`,
      );
    await model.eval();
  } catch (error) {
    model.dispose();
    throw error;
  }
  const { globalStep, hasEma } = checkpoint;
  return { model, config, checkpoint: file, globalStep, hasEma, classNames };
}

/** A model keeps averaged weights only where the file has some: others would be whatever lay in memory. */
function withAveragesOf({ hasEma }: Checkpoint, config: Config): Config {
  if (hasEma || !resolveNode(config.get('model')).params?.use_ema) return config;
  return config.merge(Config.from({ model: { params: { use_ema: false } } }, 'checkpoint'));
}

/** The files that make a model. */
export interface LocatedModel {
  /** Merged in this order. */
  configs: string[];
  /** The checkpoint. */
  file: string;
  classNames: readonly string[];
}

/**
 * Finds what {@link loadModel} would load.
 * @throws LdmError ERR_FILE
 */
export function locateModel(source: string, given?: string): LocatedModel {
  if (!fs.existsSync(source))
    throw new LdmError('ERR_FILE', `There is no ${source}. Give the log folder of a training, or a config file.`);
  if (/\.(ckpt|pth|pt|safetensors)$/.test(source)) {
    const folder = path.dirname(source);
    const root = path.basename(folder) === 'checkpoints' ? path.dirname(folder) : folder;
    return locateModel(root, given ?? source);
  }
  if (!fs.statSync(source).isDirectory())
    return { configs: [source], file: given ?? checkpointIn(path.dirname(source)), classNames: [] };
  const configs = configsOf(source);
  if (configs.length > 0)
    return {
      configs,
      file: given ?? existing(path.join(source, 'checkpoints', 'last.ckpt')),
      classNames: classNamesOf(source),
    };
  const config = path.join(source, 'config.yaml');
  if (fs.existsSync(config)) return { configs: [config], file: given ?? checkpointIn(source), classNames: [] };
  throw new LdmError(
    'ERR_FILE',
    `${source} is no log folder: there is no config in ${path.join(source, 'configs')}, and no config.yaml.`,
  );
}

/** The checkpoint in a folder of the model zoo. */
function checkpointIn(folder: string): string {
  const names = ['model.ckpt', 'last.ckpt', 'model.safetensors'].map((name) => path.join(folder, name));
  return names.find((file) => fs.existsSync(file)) ?? existing(names[0]);
}

function existing(file: string): string {
  if (fs.existsSync(file)) return file;
  throw new LdmError('ERR_FILE', `There is no checkpoint ${file}. ${howToGet(file) ?? 'Give one with --ckpt FILE.'}`);
}

/**
 * A config for a model whose checkpoint brings every weight: files that the config names for parts of the model, which may
 * be gone, are not needed any more.
 */
export function withoutCheckpoints(config: Config): Config {
  const forget = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(forget);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([k, v]) => [k, k === 'ckpt_path' || k === 'diffusion_ckpt_path' ? null : forget(v)]),
    );
  };
  return config.merge(Config.from({ model: forget(config.get('model') ?? null) } as ConfigMap, 'checkpoint'));
}
