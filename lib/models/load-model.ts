/** A trained model from what training left: a log folder, or a config and a checkpoint. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../checkpoint';
import { Config, type ConfigMap, loadConfig, parseDotlist } from '../config';
import { LdmError } from '../errors';
import { classNamesOf, configsOf } from '../training/log-folder';
import type { CreateOptions, Module } from './module';
import { instantiateFromConfig } from './registry';

export interface LoadModelOptions extends Omit<CreateOptions, 'init'> {
  /** Checkpoint; default: `checkpoints/last.ckpt` of the log folder, or `model.ckpt` beside the config. */
  checkpoint?: string;
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

/** Weights that only training needs, and the moving average, may be absent. */
const OPTIONAL = ['loss.', 'model_ema.'];

/**
 * Creates the model of a config and loads its checkpoint; it is in evaluation mode.
 * @param source a log folder, or a config file
 * @throws LdmError ERR_FILE, ERR_CONFIG, ERR_CHECKPOINT, ERR_MISSING_KEYS
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const { checkpoint: given, overrides = [], ...create } = options;
  const { configs, file, classNames } = locate(source, given);
  const config = withoutCheckpoints(loadConfig(configs)).merge(parseDotlist(overrides));
  using checkpoint = await readCheckpoint(file);
  const model = await instantiateFromConfig(config.get('model') as never, { ...create, init: 'empty' });
  try {
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

function locate(source: string, given?: string): { configs: string[]; file: string; classNames: readonly string[] } {
  if (!fs.existsSync(source))
    throw new LdmError('ERR_FILE', `There is no ${source}. Give the log folder of a training, or a config file.`);
  const isFolder = fs.statSync(source).isDirectory();
  const usual = isFolder
    ? path.join(source, 'checkpoints', 'last.ckpt')
    : path.join(path.dirname(source), 'model.ckpt');
  const file = given ?? usual;
  if (!fs.existsSync(file))
    throw new LdmError('ERR_FILE', `There is no checkpoint ${file}. Give one with --ckpt FILE.`);
  if (!isFolder) return { configs: [source], file, classNames: [] };
  const configs = configsOf(source);
  if (configs.length === 0)
    throw new LdmError(
      'ERR_FILE',
      `${source} is no log folder: there is no config in ${path.join(source, 'configs')}.`,
    );
  return { configs, file, classNames: classNamesOf(source) };
}

/**
 * A config for a model whose checkpoint brings every weight: files that the config names for parts of the model, which may
 * be gone, are not needed any more.
 */
export function withoutCheckpoints(config: Config): Config {
  const forget = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(forget);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === 'ckpt_path' ? null : forget(v)]));
  };
  return config.merge(Config.from({ model: forget(config.get('model') ?? null) } as ConfigMap, 'checkpoint'));
}
