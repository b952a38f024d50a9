/**
 * The models that a server offers. Requests name a model by its id in this list and in no other way: no part of a request ever
 * becomes a path, and files that links lead out of the folder to are not listed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import { bundledModel } from '../models/bundled-model';
import { locateModel } from '../models/load-model';
import { modelZoo, zooConfig } from '../models/model-zoo';
import { configsOf } from '../training/log-folder';
import { expectFolder } from './expect-folder';
import { HttpError } from './http-error';

/** A checkpoint and what it is loaded with. */
export interface CatalogModel {
  id: string;
  name: string;
  /** The checkpoint. */
  file: string;
  /** Config file or log folder; null where none was found. */
  source: string | null;
}

const CHECKPOINT = /\.(ckpt|pth|pt|safetensors)$/i;
const CONFIG = /\.ya?ml$/i;
/** How deep folders are searched, and how many models are listed. */
const DEPTH = 6;
const MOST = 500;

export interface CatalogOptions {
  /** Models by themselves: log folders, configs or checkpoints. */
  models?: readonly string[];
  /** A folder that is searched. */
  folder?: string;
}

export class Catalog {
  /** @throws LdmError ERR_FILE for a model that is not there */
  constructor(private readonly options: CatalogOptions) {
    for (const source of options.models ?? []) locateModel(source);
    if (options.folder !== undefined) expectFolder(options.folder);
  }

  /** The list of now: files may have come since the last time. */
  list(): CatalogModel[] {
    const { models = [], folder } = this.options;
    const found = models.map((source) => single(source));
    if (folder !== undefined) found.push(...searched(folder));
    const bundled = bundledOne();
    if (bundled) found.push(bundled);
    const ids = new Set<string>();
    return found.filter(({ id }) => !ids.has(id) && ids.add(id));
  }

  /** @param id default: the first that can be loaded. @throws HttpError 404 */
  get(id?: string): CatalogModel {
    const models = this.list();
    const model =
      id === undefined ? (models.find((m) => m.source !== null) ?? models[0]) : models.find((m) => m.id === id);
    if (model) return model;
    if (id === undefined)
      throw new HttpError(
        404,
        'no_model',
        'This server has no model. Start it with one: ldm serve MODEL, or --models FOLDER.',
      );
    throw new HttpError(404, 'no_such_model', `There is no model '${id}'. GET /api/models lists them.`, 'model');
  }
}

/** The model that comes with this package, where its weights are there. */
function bundledOne(): CatalogModel | null {
  try {
    const source = bundledModel();
    return { id: 'bundled', name: 'Emoji and avatars (bundled)', file: locateModel(source).file, source };
  } catch (error) {
    if (LdmError.is(error) && error.code === 'ERR_FILE') return null;
    throw error;
  }
}

function single(source: string): CatalogModel {
  const { file } = locateModel(source);
  const name = path.basename(
    path.resolve(/\.\w+$/.test(source) && !fs.statSync(source).isDirectory() ? path.dirname(source) : source),
  );
  return { id: name, name, file, source };
}

function searched(root: string): CatalogModel[] {
  const real = fs.realpathSync(root);
  const found: CatalogModel[] = [];
  const visit = (folder: string, depth: number) => {
    if (depth > DEPTH || found.length >= MOST) return;
    const entries = readable(folder).filter((name) => !name.startsWith('.') && name !== 'node_modules');
    for (const name of entries) {
      const file = path.join(folder, name);
      const kind = kindWithin(real, file);
      if (kind === 'folder') visit(file, depth + 1);
      else if (kind === 'file' && CHECKPOINT.test(name) && found.length < MOST) found.push(entryOf(root, file));
    }
  };
  visit(root, 0);
  return found;
}

const readable = (folder: string): string[] => {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** What lies there, links followed as long as they stay within the root. */
function kindWithin(root: string, file: string): 'file' | 'folder' | null {
  try {
    const real = fs.realpathSync(file);
    if (!real.startsWith(root + path.sep)) return null;
    // A link to a folder would list its models twice, or without end.
    if (fs.lstatSync(file).isSymbolicLink() && fs.statSync(file).isDirectory()) return null;
    const stat = fs.statSync(real);
    return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : null;
  } catch {
    return null;
  }
}

function entryOf(root: string, file: string): CatalogModel {
  const id = path.relative(root, file).split(path.sep).join('/');
  return { id, name: nameOf(id), file, source: sourceOf(root, file) };
}

/** `kl-f8` for kl-f8/model.ckpt, `run (last)` for run/checkpoints/last.ckpt. */
function nameOf(id: string): string {
  const parts = id.replace(CHECKPOINT, '').split('/');
  const file = parts.pop()!;
  if (parts.at(-1) === 'checkpoints') return `${parts.at(-2) ?? 'run'} (${file})`;
  return file === 'model' && parts.length > 0 ? parts.at(-1)! : [...parts.slice(-1), file].join('/');
}

/** The config of a checkpoint: of its log folder, beside it, or that of the official model whose place it has. */
function sourceOf(root: string, file: string): string | null {
  const folder = path.dirname(file);
  if (path.basename(folder) === 'checkpoints' && folder !== path.resolve(root)) {
    const log = path.dirname(folder);
    if (configsOf(log).length > 0) return log;
  }
  const configs = readable(folder).filter((name) => CONFIG.test(name));
  const stem = path.basename(file).replace(CHECKPOINT, '');
  const chosen =
    configs.find((name) => name.replace(CONFIG, '') === stem) ??
    configs.find((name) => name === 'config.yaml') ??
    (configs.length === 1 ? configs[0] : undefined);
  if (chosen !== undefined) return path.join(folder, chosen);
  const official = Object.values(modelZoo).find(({ checkpoint }) => path.resolve(file).endsWith(`/${checkpoint}`));
  return official && fs.existsSync(zooConfig(official)) ? zooConfig(official) : null;
}
