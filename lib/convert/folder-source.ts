/** diffusers folders as official models. */
import fs from 'node:fs';
import path from 'node:path';
import { derived, type FileTensor, readCheckpoint, recipeFrom, recipeOf, type TensorRecipe } from '../checkpoint';
import {
  findTensor,
  listVariants,
  officialShape,
  openWeights,
  toOfficial,
  type Weights,
} from '../checkpoint/diffusers';
import { Config, type ConfigMap, loadConfig, type ResolvedParams, resolveNode } from '../config';
import { Findings, type Json } from '../config/diffusers';
import { LdmError } from '../errors';
import { scheduleBuffers } from '../sampling/schedules';
import { Tensor } from '../tensor';
import { CONFIG, FOLDERS, MODEL_INDEX, RAW_VARIANT, REST, type RestIndex, SCHEDULER_CONFIG } from './folder-layout';
import { areDescribedBy, configOfPart, officialConfig, type PartConfigs } from './official-config';
import type { EmaChoice, OfficialModel, State } from './official-model';
import { type Part, partsOf } from './parts';
import type { Report } from './report';

/** An opened folder; dispose of it when the model has been written. */
export interface FolderModel {
  model: OfficialModel;
  dispose(): void;
}

/** Whether a path is a folder of diffusers: a pipeline, a model by itself, or some models side by side. */
export function isDiffusersFolder(source: string): boolean {
  if (!fs.existsSync(source) || !fs.statSync(source).isDirectory()) return false;
  if (fs.existsSync(path.join(source, MODEL_INDEX))) return true;
  const folders = ['', ...FOLDERS.unet, ...FOLDERS.firstStage];
  return folders.some((folder) => fs.existsSync(path.join(source, folder, CONFIG)));
}

/**
 * Opens a folder.
 * @param options.variant which weights, such as fp16; default: the plain ones
 * @param options.ema raw: where there are averaged and raw weights, only the raw ones; averaged: only those
 * @throws LdmError ERR_FILE, ERR_CHECKPOINT, ERR_CONFIG when a config.json has no official form, ERR_MISSING_KEYS
 */
export async function modelOfFolder(
  source: string,
  options: { variant?: string; ema: EmaChoice },
  report: Report,
): Promise<FolderModel> {
  const opened: { dispose(): void }[] = [];
  const dispose = () => {
    for (const item of opened) item.dispose();
  };
  try {
    const found = readConfigs(source);
    const { config, params, parts } = configOf(source, found, report);
    const index = readRestIndex(source);
    const state = new Map<string, TensorRecipe>();
    for (const part of parts) await addPart(state, source, part, found, options, opened, report);
    await addRest(state, source, opened);
    await addSchedule(state, params, found);
    addPositions(state, parts);
    addShared(state, index, params);
    const ordered = inOrder(state, index?.keys ?? canonicalOrder(state));
    const model: OfficialModel = {
      state: ordered,
      config,
      epoch: index?.epoch ?? null,
      globalStep: index?.global_step ?? null,
      lightningVersion: index?.lightning_version ?? null,
      metadata: index?.metadata ?? {},
      training: new Map(),
    };
    return { model, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The config.json of each part that is there. */
function readConfigs(source: string): PartConfigs {
  const read = (folder: string, name: string): Json | null => {
    const file = path.join(source, folder, name);
    return fs.existsSync(file) ? readJsonFile(file) : null;
  };
  const first = (folders: readonly string[], name: string) => {
    for (const folder of folders) {
      const json = read(folder, name);
      if (json) return { folder, json, where: path.join(source, folder, name) };
    }
    return null;
  };
  const alone = read('', CONFIG);
  const whole = alone ? { folder: '', json: alone, where: path.join(source, CONFIG) } : null;
  const isUNet = typeof alone?._class_name === 'string' && alone._class_name.startsWith('UNet2D');
  return {
    source,
    unet: isUNet ? whole : first(FOLDERS.unet, CONFIG),
    firstStage: whole && !isUNet ? whole : first(FOLDERS.firstStage, CONFIG),
    condition: first(FOLDERS.condition, CONFIG),
    scheduler: first(FOLDERS.scheduler, SCHEDULER_CONFIG),
    pipeline: (read('', MODEL_INDEX)?._class_name as string | undefined) ?? null,
  };
}

const LONGEST_JSON = 4 << 20;

function readJsonFile(file: string): Json {
  if (fs.statSync(file).size > LONGEST_JSON) throw new LdmError('ERR_CONFIG', `${file}: is longer than any config`);
  try {
    const json = JSON.parse(fs.readFileSync(file, 'utf8')) as unknown;
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  } catch {
    // said below
  }
  throw new LdmError('ERR_CONFIG', `${file}: expected a JSON object`);
}

/** The official config that lies in the folder where it still fits, else one that is translated; and the parts. */
function configOf(source: string, found: PartConfigs, report: Report) {
  const kept = path.join(source, REST.folder, REST.config);
  if (fs.existsSync(kept)) {
    const config = loadConfig(kept);
    const own = resolved(config);
    if (areDescribedBy(found, own.parts)) return { config, ...own };
    report.note(`${kept} does not fit the config.json files of the folder any more and is not used`);
  }
  const findings = new Findings();
  const values = officialConfig(found, findings);
  findings.refuse(`${source} has no official form`);
  for (const note of findings.notes) report.note(note);
  const config = Config.from(values as ConfigMap, source);
  return { config, ...resolved(config) };
}

function resolved(config: Config): { params: ResolvedParams; parts: readonly Part[] } {
  const node = resolveNode(config.get('model'), 'autoencoder', 'diffusion');
  return { params: node.params, parts: partsOf(node, null, new Findings()).parts };
}

function readRestIndex(source: string): RestIndex | null {
  const file = path.join(source, REST.folder, REST.index);
  if (!fs.existsSync(file)) return null;
  const index = readJsonFile(file) as unknown as RestIndex;
  if (index.format !== 1 || !Array.isArray(index.keys) || !index.keys.every((key) => typeof key === 'string'))
    throw new LdmError('ERR_CONFIG', `${file}: expected "format": 1 and a list of keys`);
  return index;
}

async function addPart(
  state: Map<string, TensorRecipe>,
  source: string,
  part: Part,
  found: PartConfigs,
  { variant, ema }: { variant?: string; ema: EmaChoice },
  opened: { dispose(): void }[],
  report: Report,
): Promise<void> {
  if (part.keys.length === 0) return;
  const folder = path.join(source, configOfPart(found, part)!.folder);
  const open = async (which?: string): Promise<Weights> => {
    const weights = await openWeights(folder, which);
    opened.push(weights);
    return weights;
  };
  const both = listVariants(folder).has(RAW_VARIANT) && variant === undefined;
  const main = await open(both && ema === 'raw' ? RAW_VARIANT : variant);
  if (variant === undefined && main.variant !== '' && main.variant !== RAW_VARIANT)
    report.note(`${folder} has weights of the variant ${main.variant} only; they are taken`);
  if (!both || ema !== 'both') return addTensors(state, part, main.tensors, folder, report, (name) => name);
  const raw = await open(RAW_VARIANT);
  addTensors(state, part, raw.tensors, folder, report, (name) => name);
  addTensors(state, part, main.tensors, folder, report, (name) => `model_ema.${withoutDots(name)}`);
}

/** LitEma's name for a weight; a diffusion model averages its U-Net, an autoencoder all of itself. */
const withoutDots = (name: string) => name.replace(/^model\./, '').replaceAll('.', '');

function addTensors(
  state: Map<string, TensorRecipe>,
  part: Part,
  tensors: ReadonlyMap<string, FileTensor>,
  folder: string,
  report: Report,
  rename: (name: string) => string,
): void {
  const used = new Set<string>();
  const missing: string[] = [];
  for (const key of part.keys) {
    const sources: FileTensor[] = [];
    for (const name of key.diffusers) {
      const hit = findTensor(tensors, name);
      if (!hit) missing.push(name);
      else {
        used.add(hit.name);
        sources.push(hit.tensor);
      }
    }
    if (sources.length < key.diffusers.length) continue;
    const [first] = sources;
    if (sources.some((t) => t.dtype !== first.dtype || String(t.shape) !== String(first.shape)))
      throw new LdmError('ERR_CHECKPOINT', `${folder}: ${key.diffusers.join(', ')} differ in dtype or shape`);
    const plain = key.form.kind === 'same';
    const shape = plain ? first.shape : officialShape(key, first.shape);
    const recipes = sources.map(recipeFrom);
    const recipe = plain ? recipes[0] : derived(recipes, shape, (parts) => toOfficial(key, parts));
    state.set(rename(key.official), recipe);
  }
  if (missing.length > 0)
    throw new LdmError(
      'ERR_MISSING_KEYS',
      `${folder} lacks ${missing.length} of the weights that its ${CONFIG} names, such as ${missing.slice(0, 4).join(', ')}`,
    );
  const left = [...tensors.keys()].filter((name) => !used.has(name) && !name.endsWith('position_ids'));
  if (left.length > 0)
    report.drop(
      `${path.basename(folder)}: ${left.slice(0, 4).join(', ')}${left.length > 4 ? ', ...' : ''}`,
      left.length,
      'no official counterpart',
    );
}

async function addRest(state: Map<string, TensorRecipe>, source: string, opened: { dispose(): void }[]): Promise<void> {
  const file = path.join(source, REST.folder, REST.tensors);
  if (!fs.existsSync(file)) return;
  const rest = await readCheckpoint(file);
  opened.push(rest);
  for (const [name, tensor] of rest.tensors) if (!state.has(name)) state.set(name, recipeFrom(tensor));
}

/** The tables that every diffusion model has, where nothing brought them. */
async function addSchedule(
  state: Map<string, TensorRecipe>,
  params: Record<string, unknown>,
  found: PartConfigs,
): Promise<void> {
  if (!found.unet) return;
  for (const [name, tensor] of await scheduleBuffers(params)) if (!state.has(name)) state.set(name, recipeOf(tensor));
  const averages = [...state.keys()].some((name) => name.startsWith('model_ema.'));
  if (!averages) return;
  if (!state.has('model_ema.decay')) state.set('model_ema.decay', recipeOf(Tensor.full([], 0.9999)));
  if (!state.has('model_ema.num_updates'))
    state.set('model_ema.num_updates', recipeOf(Tensor.full([], 0, { dtype: 'int32' })));
}

/** transformers kept the places of tokens as a buffer until version 4.31; Stable Diffusion's checkpoints have it. */
function addPositions(state: Map<string, TensorRecipe>, parts: readonly Part[]): void {
  const name = 'cond_stage_model.transformer.text_model.embeddings.position_ids';
  const table = state.get('cond_stage_model.transformer.text_model.embeddings.position_embedding.weight');
  if (!table || state.has(name) || !parts.some((part) => part.type[1] === 'CLIPTextModel')) return;
  const [length] = table.shape;
  state.set(name, recipeOf(Tensor.arange(0, length, 1, { dtype: 'int64' }).reshape(1, length)));
}

/** With `__is_first_stage__` the reference saves the first stage twice. */
function addShared(state: Map<string, TensorRecipe>, index: RestIndex | null, params: Record<string, unknown>): void {
  if (params.cond_stage_config !== '__is_first_stage__' || !index) return;
  for (const name of index.keys) {
    const own = state.get(name.replace(/^cond_stage_model\./, 'first_stage_model.'));
    if (!state.has(name) && own) state.set(name, own);
  }
}

function inOrder(state: State, keys: readonly string[]): State {
  const ordered = new Map<string, TensorRecipe>();
  for (const key of [...keys, ...state.keys()]) {
    const recipe = state.get(key);
    if (recipe) ordered.set(key, recipe);
  }
  return ordered;
}

/** The reference's order: own tables, then the U-Net, its averages, the first stage, the condition. */
function canonicalOrder(state: State): string[] {
  const rank = (name: string) => {
    const order = ['model.', 'model_ema.', 'first_stage_model.', 'cond_stage_model.'];
    const place = order.findIndex((prefix) => name.startsWith(prefix));
    return name.includes('.') && place >= 0 ? place + 1 : name.includes('.') ? order.length + 1 : 0;
  };
  const before = (name: string) => (/^model_ema\.(decay|num_updates)$|\.position_ids$/.test(name) ? 0 : 1);
  return [...state.keys()].sort((a, b) => rank(a) - rank(b) || before(a) - before(b));
}
