/** What `ldm inspect` says of a model, in the form of the page: parts instead of every tensor. */
import { loadConfig } from '../config';
import { inspectCheckpoint, inspectConfig, type ParameterCounts } from '../inspect';
import { locateModel } from '../models/load-model';
import type { CatalogModel } from './catalog';

export interface ModelInspection {
  format: string;
  bytes: number;
  tensors: number;
  elements: number;
  dtypes: Record<string, number>;
  ema: boolean;
  epoch: number | null;
  globalStep: number | null;
  metadata: Record<string, string>;
  /** Values by the first part of the tensors' names, in the file's order. */
  groups: { name: string; tensors: number; elements: number }[];
  /** Targets within the model by key path; null without a config. */
  targets: Record<string, string> | null;
  parameters: ParameterCounts | null;
  learningRate: number | null;
}

export async function inspectModel(model: CatalogModel, signal: AbortSignal): Promise<ModelInspection> {
  const checkpoint = await inspectCheckpoint(model.file, { signal });
  const groups = new Map<string, { name: string; tensors: number; elements: number }>();
  for (const [tensor, { shape }] of Object.entries(checkpoint.tensors)) {
    // The model's own buffers, such as the noise schedule, have names without a dot.
    const name = tensor.includes('.') ? tensor.split('.')[0]! : 'buffers';
    const group = groups.get(name) ?? { name, tensors: 0, elements: 0 };
    group.tensors++;
    group.elements += shape.reduce((product, size) => product * size, 1);
    groups.set(name, group);
  }
  const file =
    model.source && locateModel(model.source, model.file).configs.find((name) => loadConfig(name).get('model'));
  const config = file && (await inspectConfig(file, { signal }));
  return {
    format: checkpoint.format,
    bytes: checkpoint.bytes,
    tensors: Object.keys(checkpoint.tensors).length,
    elements: checkpoint.elements,
    dtypes: checkpoint.dtypes,
    ema: checkpoint.ema,
    epoch: checkpoint.epoch,
    globalStep: checkpoint.globalStep,
    metadata: checkpoint.metadata,
    groups: [...groups.values()],
    targets: config ? config.targets : null,
    parameters: config ? (config.parameters ?? null) : null,
    learningRate: config ? config.baseLearningRate : null,
  };
}
