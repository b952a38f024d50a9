/** Loads models when they are needed and keeps a few of them. */
import fs from 'node:fs';
import { loadConfig } from '../config';
import { LdmError } from '../errors';
import { type LoadedModel, loadModel, locateModel, withoutCheckpoints } from '../models/load-model';
import { instantiateFromConfig } from '../models/registry';
import type { Catalog, CatalogModel } from './catalog';
import { describeModel, type ModelAbilities } from './describe-model';
import { HttpError } from './http-error';
import type { ModelEntry, ModelInfo } from './protocol';

/** A model that is ready to work. */
export interface ReadyModel extends LoadedModel {
  info: ModelInfo;
}

interface Kept {
  loaded: ReadyModel;
  /** Tells whether the file is another one by now. */
  version: string;
  bytes: number;
}

export interface HostOptions {
  device: string;
  /** Bytes of checkpoints that stay loaded beside the one in use. */
  modelBytes: number;
}

export class ModelHost {
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  readonly #described = new Map<string, { version: string; abilities: Promise<ModelAbilities> }>();

  constructor(
    readonly catalog: Catalog,
    private readonly options: HostOptions,
  ) {}

  entries(): ModelEntry[] {
    return this.catalog.list().map((model) => {
      const { size, mtimeMs } = fs.statSync(model.file);
      return {
        id: model.id,
        name: model.name,
        checkpoint: model.id,
        bytes: size,
        modified: Math.round(mtimeMs),
        loaded: this.#kept.get(model.id)?.version === versionOf(model),
        problem: model.source === null ? 'There is no config beside this checkpoint.' : null,
      };
    });
  }

  /** What a model can do; it is not loaded for this. @throws HttpError 404, 409 */
  async info(id?: string): Promise<ModelInfo> {
    const model = this.catalog.get(id);
    const version = versionOf(model);
    let known = this.#described.get(model.id);
    if (known?.version !== version) {
      known = { version, abilities: describe(model) };
      known.abilities.catch(() => this.#described.delete(model.id));
      this.#described.set(model.id, known);
    }
    return { id: model.id, name: model.name, ...(await known.abilities) };
  }

  /** A model, loaded where it is not. One call at a time. @param onLoad called before it is loaded */
  async use(id: string | undefined, onLoad: (name: string) => void, signal: AbortSignal): Promise<ReadyModel> {
    const model = this.catalog.get(id);
    const version = versionOf(model);
    const kept = this.#kept.get(model.id);
    if (kept?.version === version) {
      this.#kept.delete(model.id);
      this.#kept.set(model.id, kept);
      return kept.loaded;
    }
    if (kept) this.#drop(model.id);
    const info = await this.info(model.id);
    onLoad(model.name);
    const bytes = fs.statSync(model.file).size;
    this.#makeRoom(bytes);
    const loaded = await loadModel(sourceOf(model), {
      checkpoint: model.file,
      device: this.options.device,
      compact: true,
      signal,
    });
    const ready = { ...loaded, info };
    this.#kept.set(model.id, { loaded: ready, version, bytes });
    return ready;
  }

  dispose(): void {
    for (const id of [...this.#kept.keys()]) this.#drop(id);
  }

  /** Before a model comes, those that were not used for longest go. */
  #makeRoom(bytes: number): void {
    let sum = [...this.#kept.values()].reduce((total, kept) => total + kept.bytes, bytes);
    for (const [id, kept] of [...this.#kept]) {
      if (sum <= this.options.modelBytes) return;
      sum -= kept.bytes;
      this.#drop(id);
    }
  }
  #drop(id: string): void {
    this.#kept.get(id)?.loaded.model.dispose();
    this.#kept.delete(id);
  }
}

function versionOf({ file }: CatalogModel): string {
  const { size, mtimeMs, ino } = fs.statSync(file);
  return `${ino} ${size} ${mtimeMs}`;
}

function sourceOf(model: CatalogModel): string {
  if (model.source !== null) return model.source;
  throw new HttpError(
    409,
    'no_config',
    `There is no config beside ${model.id}: put the config.yaml that belongs to it there.`,
    'model',
  );
}

/** Builds the model without memory for its weights. */
async function describe(model: CatalogModel): Promise<ModelAbilities> {
  const source = sourceOf(model);
  const { configs, classNames } = locateModel(source, model.file);
  const config = withoutCheckpoints(loadConfig(configs));
  const node = config.get('model');
  if (!node) throw new LdmError('ERR_CONFIG', `The config of ${model.id} has no model.`);
  using built = await instantiateFromConfig(node as never, { init: 'meta' });
  return describeModel(built, config, classNames);
}
