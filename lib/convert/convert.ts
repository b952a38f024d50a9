/** Conversion of models between checkpoint files, safetensors and diffusers folders. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint, type WriteOptions } from '../checkpoint';
import { writeAtomically } from '../checkpoint/atomic';
import { Config, loadConfig } from '../config';
import { LdmError } from '../errors';
import type { DType } from '../tensor';
import { configsOf } from '../training/log-folder';
import { modelOfFile } from './file-source';
import { writeTorch, writeWeights } from './file-target';
import { isDiffusersFolder, modelOfFolder } from './folder-source';
import { planFolder, writeFolder } from './folder-target';
import { cast, chooseEma, type EmaChoice, hasEma, type OfficialModel, prune } from './official-model';
import { type ConvertReport, Report } from './report';

/** What is written. `ckpt` is torch's format as Lightning lays it out. */
export type TargetFormat = 'ckpt' | 'safetensors' | 'diffusers';

export interface ConvertOptions {
  /** Official config of a checkpoint. Default: the one that lies beside it, if any. A diffusers folder brings its own. */
  config?: string;
  /** Default: by the name of the target; a name without a known ending is a folder. */
  format?: TargetFormat;
  /**
   * True: the averaged weights take the place of those of the last step. False: those of the last step, without averages.
   * Default: both are kept; with `prune` the averaged ones, where there are any.
   */
  ema?: boolean;
  /** Leave out what only training needs: optimizer states, callbacks, averages, the loss and its networks. */
  prune?: boolean;
  /** Dtype of floating-point weights; the noise schedule stays in float32. Default: as they are. */
  dtype?: DType;
  /** Which weights of a diffusers folder, such as fp16. Default: the plain ones. */
  variant?: string;
  /** Replace what is there. Default false. */
  force?: boolean;
  /** Check everything and report, but write nothing. */
  dryRun?: boolean;
  signal?: AbortSignal;
  /** Called after each tensor, with how many of how many are written. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Converts a model. Weights keep their values bit for bit unless a dtype is asked for; what the target cannot hold is in
 * the report. Tensors pass one at a time. The target appears whole or not at all.
 * @param source a checkpoint of any format that is read, a log folder, or a diffusers folder
 * @param target file (.ckpt, .pt, .pth, .safetensors) or folder
 * @throws LdmError ERR_FILE when the target is there already; ERR_CONFIG when the target cannot hold such a model;
 *   ERR_MISSING_KEYS when weights and config do not fit; what readCheckpoint and loadConfig throw; ERR_ABORTED
 */
export async function convertModel(
  source: string,
  target: string,
  options: ConvertOptions = {},
): Promise<ConvertReport> {
  const format = options.format ?? formatOf(target);
  const report = new Report(source, target);
  if (!options.dryRun) refuseToReplace(source, target, options.force ?? false);
  const opened = await open(source, options, report);
  try {
    const model = prepare(opened.model, source, options, report);
    await write(model, source, target, format, options, report);
    return report.result;
  } finally {
    opened.dispose();
  }
}

/** The format that a name stands for. */
export function formatOf(target: string): TargetFormat {
  const ending = path.extname(target).toLowerCase();
  if (['.ckpt', '.pt', '.pth', '.bin'].includes(ending)) return 'ckpt';
  return ending === '.safetensors' ? 'safetensors' : 'diffusers';
}

function refuseToReplace(source: string, target: string, force: boolean): void {
  if (!fs.existsSync(target)) return;
  if (fs.realpathSync(source) === fs.realpathSync(target))
    throw new LdmError('ERR_FILE', `${target} is the source itself; give another target`);
  const folder = fs.statSync(target).isDirectory();
  if (folder && fs.readdirSync(target).length === 0) return;
  if (!force) throw new LdmError('ERR_FILE', `${target} is there already. Give --force to replace it.`);
  if (folder && !isDiffusersFolder(target))
    throw new LdmError('ERR_FILE', `${target} is a folder, but no model of diffusers: it is not replaced.`);
}

async function open(
  source: string,
  options: ConvertOptions,
  report: Report,
): Promise<{ model: OfficialModel; dispose(): void }> {
  if (isDiffusersFolder(source)) {
    if (options.config) throw new LdmError('ERR_CONFIG', `${source} brings its own config; leave --config out`);
    return modelOfFolder(source, { variant: options.variant, ema: choiceOf(options, true) }, report);
  }
  if (options.variant) throw new LdmError('ERR_INVALID_ARGUMENT', 'A variant is of a diffusers folder, not of a file');
  const { file, configs } = locate(source, options.config);
  const checkpoint = await readCheckpoint(file);
  try {
    const config = configs.length > 0 ? loadConfig(configs) : null;
    const model = modelOfFile(checkpoint, config, report);
    return { model, dispose: () => checkpoint.dispose() };
  } catch (error) {
    checkpoint.dispose();
    throw error;
  }
}

/** The checkpoint of a log folder or the file itself, with its config where one lies beside it. */
function locate(source: string, config?: string): { file: string; configs: string[] } {
  const given = config === undefined ? null : [config];
  if (!fs.existsSync(source)) throw new LdmError('ERR_FILE', `There is no ${source}.`);
  if (fs.statSync(source).isDirectory()) {
    const file = path.join(source, 'checkpoints', 'last.ckpt');
    if (fs.existsSync(file)) return { file, configs: given ?? configsOf(source) };
    throw new LdmError(
      'ERR_FILE',
      `${source} is neither a diffusers folder nor a log folder with checkpoints/last.ckpt.`,
    );
  }
  const folder = path.dirname(source);
  const beside = [`${path.basename(source, path.extname(source))}.yaml`, 'config.yaml'].map((f) =>
    path.join(folder, f),
  );
  const found = beside.find((candidate) => fs.existsSync(candidate));
  const log = path.basename(folder) === 'checkpoints' ? configsOf(path.dirname(folder)) : [];
  return { file: source, configs: given ?? (found ? [found] : log) };
}

/** Averaged or raw weights: as asked; a pruned model has those that sampling takes. */
function choiceOf({ ema, prune: pruned }: ConvertOptions, there: boolean): EmaChoice {
  if (ema !== undefined) return ema ? 'averaged' : 'raw';
  return pruned ? (there ? 'averaged' : 'raw') : 'both';
}

function prepare(model: OfficialModel, source: string, options: ConvertOptions, report: Report): OfficialModel {
  const there = hasEma(model.state);
  const choice = choiceOf(options, there);
  report.result.ema = there ? choice : 'none';
  let prepared = chooseEma(model, choice, source, report);
  if (options.prune) prepared = prune(prepared, report);
  return options.dtype ? cast(prepared, options.dtype) : prepared;
}

async function write(
  model: OfficialModel,
  source: string,
  target: string,
  format: TargetFormat,
  options: ConvertOptions,
  report: Report,
): Promise<void> {
  let done = 0;
  const writing = (total: number): WriteOptions => ({
    signal: options.signal,
    onTensor: (name, overflowed) => {
      report.overflow(name, overflowed);
      options.onProgress?.(++done, total);
    },
  });
  if (format === 'diffusers') {
    const plan = await planFolder(model, source, report);
    const total = [...plan.values()].reduce((n, c) => n + (typeof c === 'string' ? 0 : c.tensors.size), 0);
    if (options.dryRun) return;
    await replaceFolder(target, (folder) => writeFolder(folder, plan, writing(total), report));
  } else {
    if (options.dryRun) return;
    const into = format === 'ckpt' ? writeTorch : writeWeights;
    await into(target, model, writing(model.state.size), report);
    if (model.config && isDiffusersFolder(source))
      await writeConfig(target, fitting(model.config, hasEma(model.state)), options.force ?? false, report);
  }
  report.result.written = true;
}

/** The config for a file with or without averages: the reference loads strictly what `use_ema` says. */
function fitting(config: Config, averages: boolean): Config {
  const averaging = config.get('model.params.use_ema') ?? config.get('model.params.unet_config') !== undefined;
  return averaging === averages
    ? config
    : config.merge(Config.from({ model: { params: { use_ema: averages } } }, 'the weights'));
}

/** The official config goes beside the checkpoint, under the name where `ldm sample` and `ldm reconstruct` look. */
async function writeConfig(target: string, config: Config, force: boolean, report: Report): Promise<void> {
  const stem = path.basename(target, path.extname(target));
  const file = path.join(path.dirname(target), stem === 'model' ? 'config.yaml' : `${stem}.yaml`);
  if (fs.existsSync(file) && !force) {
    report.note(`${file} is there already and stays as it is.`);
    return;
  }
  await writeAtomically(file, (handle) => handle.writeFile(config.toYaml()));
  report.file(file, 0, fs.statSync(file).size);
}

/** Lets `fill` write a new folder and puts it in the place of `target`. */
async function replaceFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const full = path.resolve(target);
  const beside = (kind: string) =>
    path.join(path.dirname(full), `.${path.basename(full)}.${process.pid}.${randomBytes(4).toString('hex')}.${kind}`);
  const [fresh, old] = [beside('tmp'), beside('old')];
  try {
    await fs.promises.mkdir(fresh, { recursive: true });
    await fill(fresh);
    const exists = fs.existsSync(full);
    if (exists) await fs.promises.rename(full, old);
    await fs.promises.rename(fresh, full);
    if (exists) await fs.promises.rm(old, { recursive: true, force: true });
  } catch (error) {
    await fs.promises.rm(fresh, { recursive: true, force: true });
    throw error;
  }
}
