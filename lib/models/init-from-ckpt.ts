/** Reading a checkpoint into a model, not strictly: the reference's `init_from_ckpt`. */
import { readCheckpoint } from '../checkpoint';
import type { ResolvedParams } from '../config';
import { LdmError } from '../errors';
import type { LoadReport } from '../native';
import type { Tensor } from '../tensor';
import type { Module } from './module';

export interface InitFromCkptOptions {
  /** Prefixes of keys to leave out. */
  ignoreKeys?: readonly string[];
  /** The model's key for a key of the file, or null to leave it out. Default: the same. */
  rename?: (key: string) => string | null;
  /** What to take in place of a weight whose shape is not the model's; default: that is an error. */
  adapt?: (weight: Tensor, shape: readonly number[], key: string) => Tensor;
}

/**
 * Loads what fits by name. Keys that are missing or unexpected are reported, not refused.
 * @throws LdmError ERR_MISSING_KEYS when a tensor has another shape; ERR_CHECKPOINT when no key fits; what `readCheckpoint` throws for a file that is missing
 *   or broken
 */
export async function initFromCkpt(
  model: Module,
  path: string,
  options: InitFromCkptOptions = {},
): Promise<LoadReport> {
  const { ignoreKeys = [], rename = (key) => key, adapt } = options;
  using checkpoint = await readCheckpoint(path);
  const state = new Map<string, Tensor>();
  for (const [key, tensor] of checkpoint.stateDict) {
    const name = ignoreKeys.some((prefix) => key.startsWith(prefix)) ? null : rename(key);
    if (name !== null) state.set(name, tensor);
  }
  if (adapt) await adaptAll(model, state, adapt);
  const report = await model.loadStateDict(state, { strict: false, source: path });
  if (state.size > 0 && report.unexpected.length === state.size)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `Expected weights of this model in ${path} but none of its ${state.size} keys belongs to it (the first is ` +
        `'${report.unexpected[0]}'). Name a checkpoint that was trained with this config.`,
    );
  return report;
}

/** Replaces the weights in `state` whose shape is not that of the model. */
async function adaptAll(model: Module, state: Map<string, Tensor>, adapt: InitFromCkptOptions['adapt']): Promise<void> {
  for (const [name, own] of await model.stateDict()) {
    const given = state.get(name);
    if (given && given.shape.join() !== own.shape.join()) state.set(name, adapt!(given, own.shape, name));
  }
}

/** Nodes of which the reference makes a part of a model, and the part's name. */
const STAGES: Record<string, string> = {
  first_stage_config: 'first_stage_model',
  cond_stage_config: 'cond_stage_model',
  pretrained_config: 'pretrained_model',
  diffusion_config: 'diffusion_model',
};

/**
 * Loads the `ckpt_path` of every stage within a model, as the stages' constructors do in the reference: those within a
 * stage before the stage itself.
 * @param params of the model, resolved
 */
export async function initStages(model: Module, params: ResolvedParams, prefix = ''): Promise<void> {
  for (const [key, name] of Object.entries(STAGES)) {
    const stage = (params[key] as { params?: ResolvedParams } | null | undefined)?.params;
    if (!stage) continue;
    await initStages(model, stage, `${prefix}${name}.`);
    if (!stage.ckpt_path) continue;
    await initFromCkpt(model, stage.ckpt_path as string, {
      ignoreKeys: (stage.ignore_keys as string[] | undefined) ?? [],
      rename: (file) => `${prefix}${name}.${file}`,
    });
  }
}
