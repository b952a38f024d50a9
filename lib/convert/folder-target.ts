/** Official models as diffusers folders. */
import fs from 'node:fs';
import path from 'node:path';
import { derived, type TensorRecipe, type WriteOptions, writeSafetensors } from '../checkpoint';
import { writeAtomically } from '../checkpoint/atomic';
import { diffusersShape, type KeyPair, toDiffusers } from '../checkpoint/diffusers';
import { type Config, resolveNode } from '../config';
import { Findings, type Json } from '../config/diffusers';
import { LdmError } from '../errors';
import { CONFIG, MODEL_INDEX, RAW_VARIANT, REST, type RestIndex, SCHEDULER_CONFIG, weightsStem } from './folder-layout';
import { averaged, averageOf, hasEma, isEma, type OfficialModel, type State } from './official-model';
import { type Part, type Parts, partsOf } from './parts';
import type { Report } from './report';
import { TOKENIZER_CLASS, tokenizerFiles } from './tokenizers';

/** A file of the folder: text, or weights that are written from recipes. */
type Content = string | { tensors: State; metadata: Record<string, string> };

/** What a folder will hold, checked before anything is written. */
export type FolderPlan = ReadonlyMap<string, Content>;

/**
 * Plans the folder.
 * @throws LdmError ERR_CONFIG when diffusers has no such model, ERR_MISSING_KEYS when the weights do not fit the config
 */
export async function planFolder(model: OfficialModel, source: string, report: Report): Promise<FolderPlan> {
  const { config } = model;
  if (!config)
    throw new LdmError(
      'ERR_CONFIG',
      `${source}: a diffusers folder says what the model is, a checkpoint does not. Give its config with --config FILE.`,
    );
  const findings = new Findings();
  const node = resolveNode(config.get('model') as never, 'autoencoder', 'diffusion');
  const parts = partsOf(node, await scaleFactorOf(model.state), findings);
  findings.refuse('diffusers cannot hold this model');
  for (const note of findings.notes) report.note(note);
  checkKeys(parts.parts, model.state, source);
  noteMissingClasses(parts, report);

  const files = new Map<string, Content>();
  for (const part of parts.parts) addPart(files, part, model.state);
  addTokenizer(files, parts);
  if (parts.pipeline) files.set(MODEL_INDEX, json(modelIndex(parts)));
  addRest(files, model, parts.parts, config, report);
  return files;
}

/** Writes what was planned into a folder that is there. @returns the number of tensors */
export async function writeFolder(
  folder: string,
  plan: FolderPlan,
  options: WriteOptions,
  report: Report,
): Promise<void> {
  for (const [name, content] of plan) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    if (typeof content === 'string') await writeAtomically(file, (handle) => handle.writeFile(content));
    else await writeSafetensors(file, content.tensors, { ...options, metadata: content.metadata });
    const tensors = typeof content === 'string' ? 0 : content.tensors.size;
    report.file(name, tensors, fs.statSync(file).size);
  }
}

/** With scale_by_std the checkpoint knows the factor, not the config. */
async function scaleFactorOf(state: State): Promise<number | null> {
  const recipe = state.get('scale_factor');
  if (!recipe) return null;
  using made = recipe.make();
  return await made.tensor.item();
}

function checkKeys(parts: readonly Part[], state: State, source: string): void {
  const missing = parts.flatMap((part) => part.keys.filter(({ official }) => !state.has(official)));
  if (missing.length === 0) return;
  const names = missing.slice(0, 4).map(({ official }) => official);
  throw new LdmError(
    'ERR_MISSING_KEYS',
    `${source} lacks ${missing.length} of the weights that its config names, such as ${names.join(', ')}. Give the config that belongs to it.`,
  );
}

function noteMissingClasses({ pipeline, parts, without }: Parts, report: Report): void {
  for (const what of without) report.note(`diffusers has no class for ${what}: it is kept for the way back only.`);
  if (pipeline === null && parts.length > 1)
    report.note('diffusers has no pipeline for such a model: load its parts one by one.');
}

function addPart(files: Map<string, Content>, part: Part, state: State): void {
  const at = (name: string) => path.posix.join(part.folder, name);
  files.set(at(part.folder === 'scheduler' ? SCHEDULER_CONFIG : CONFIG), json(part.config));
  if (part.keys.length === 0) return;
  const weights = (from: State): Content => ({ tensors: toLayout(part.keys, from), metadata: { format: 'pt' } });
  const stem = weightsStem(part.type[0]);
  const names = { has: (name: string) => state.has(name) };
  const hasAverages = part.keys.some(({ official }) => averageOf(official, names) !== '');
  files.set(at(`${stem}.safetensors`), weights(hasAverages ? averaged(state) : state));
  if (hasAverages) files.set(at(`${stem}.${RAW_VARIANT}.safetensors`), weights(state));
}

/** Recipes for diffusers' tensors. */
function toLayout(keys: readonly KeyPair[], state: State): State {
  const tensors = new Map<string, TensorRecipe>();
  for (const key of keys) {
    const recipe = state.get(key.official)!;
    const shape = diffusersShape(key, recipe.shape);
    key.diffusers.forEach((name, i) => {
      const plain = key.form.kind === 'same';
      tensors.set(name, plain ? recipe : derived([recipe], shape, ([tensor]) => toDiffusers(key, tensor, i)));
    });
  }
  return tensors;
}

function addTokenizer(files: Map<string, Content>, { tokenizer, parts }: Parts): void {
  if (!tokenizer) return;
  const encoder = parts.find((part) => part.official === 'cond_stage_model')!;
  const length = encoder.config.max_position_embeddings as number;
  for (const [name, text] of Object.entries(tokenizerFiles(tokenizer, length))) files.set(`tokenizer/${name}`, text);
}

function modelIndex({ pipeline, parts, tokenizer }: Parts): Json {
  const stable = pipeline === 'StableDiffusionPipeline';
  return {
    _class_name: pipeline,
    _diffusers_version: parts[0].config._diffusers_version,
    ...Object.fromEntries(parts.map((part) => [part.folder, part.type])),
    ...(tokenizer ? { tokenizer: ['transformers', TOKENIZER_CLASS[tokenizer]] } : {}),
    ...(stable
      ? { feature_extractor: [null, null], requires_safety_checker: false, safety_checker: [null, null] }
      : {}),
  };
}

/** What no part holds. */
function addRest(
  files: Map<string, Content>,
  { state, epoch, globalStep, lightningVersion, metadata, training }: OfficialModel,
  parts: readonly Part[],
  config: Config,
  report: Report,
): void {
  if (training.size > 0) report.drop([...training.keys()].join(', '), 0, 'diffusers holds weights only');
  const held = new Set(parts.flatMap((part) => part.keys.map(({ official }) => official)));
  const averages = new Set(hasEma(state) ? [...held].map((name) => averageOf(name, state)) : []);
  const shared = config.get('model.params.cond_stage_config') === '__is_first_stage__';
  const tied = (name: string) =>
    shared && name.startsWith('cond_stage_model.') && held.has(name.replace('cond_stage_model.', 'first_stage_model.'));
  const rest = [...state].filter(([name]) => !held.has(name) && !averages.has(name) && !tied(name));
  const index: RestIndex = {
    format: 1,
    keys: [...state.keys()],
    epoch,
    global_step: globalStep,
    lightning_version: lightningVersion,
    metadata: { ...metadata },
  };
  const at = (name: string) => `${REST.folder}/${name}`;
  files.set(at(REST.config), config.toYaml());
  files.set(at(REST.index), json(index));
  if (rest.length > 0) files.set(at(REST.tensors), { tensors: new Map(rest), metadata: { format: 'pt' } });
  report.keep(rest.map(([name]) => name).filter((name) => !isEma(name)));
}

/** Fields that Python has as floats; transformers refuses integers there, and JavaScript writes 1.0 as 1. */
const FLOATS =
  /"(\w*dropout|\w*layerdrop|initializer_factor|initializer_range|init_std|layer_norm_eps|norm_eps|scaling_factor)": (-?\d+)(?=,?$)/gm;

const json = (value: unknown) => `${JSON.stringify(value, null, 2).replace(FLOATS, '"$1": $2.0')}\n`;
