/** What a config describes: its targets, checked and with every default filled in, and the size of its model. */
import { loadConfig, type ResolvedNode, type ResolvedProject, resolveProject } from '../config';
import { instantiateFromConfig } from '../models';
import { withoutCheckpoints } from '../models/load-model';
import { type NativeTensor, native } from '../native';

/** How many numbers a model holds. */
export interface ParameterCounts {
  /**
   * What its checkpoints hold: everything in the state_dict, with perceptual networks and the EMA copy. A stage that stands
   * under two names counts twice, as it is stored.
   */
  total: number;
  /** Those that gradients reach; frozen stages, perceptual networks and the EMA copy are none. */
  trainable: number;
  /**
   * The total by the first part of the names, in their order, such as `model` and `first_stage_model`; `buffers` are the
   * model's own, such as the noise schedule.
   */
  parts: Record<string, number>;
}

export interface ConfigSummary {
  kind: 'config';
  file: string;
  model: ResolvedNode;
  baseLearningRate: number | null;
  data: ResolvedNode | null;
  /** Every target within the model, by key path. */
  targets: Record<string, string>;
  lightning: Omit<ResolvedProject['lightning'], 'callbacks'> & { callbacks: Record<string, ResolvedNode> };
  /** Absent when they were not counted. */
  parameters?: ParameterCounts;
}

/**
 * Checks a config and tells what it describes.
 * @param options.overrides `a.b.c=value`
 * @param options.count also count the model's parameters (default true): it is built without memory for them
 * @throws LdmError ERR_CONFIG with every mistake; ERR_UNKNOWN_TARGET for a class that does not exist here
 */
export async function inspectConfig(
  file: string,
  options: { overrides?: readonly string[]; count?: boolean; signal?: AbortSignal } = {},
): Promise<ConfigSummary> {
  const config = loadConfig(file, options.overrides);
  const { model, baseLearningRate, data, lightning } = resolveProject(config);
  const summary: ConfigSummary = {
    kind: 'config',
    file,
    model,
    baseLearningRate,
    data,
    targets: Object.fromEntries(targetsIn(model, 'model')),
    lightning: { ...lightning, callbacks: Object.fromEntries(lightning.callbacks) },
  };
  if (options.count ?? true)
    summary.parameters = await countParameters(resolveProject(withoutCheckpoints(config)).model, options.signal);
  return summary;
}

/**
 * Counts the parameters of the model that a node names, without memory for them: any size takes moments.
 * @throws LdmError ERR_CONFIG, ERR_UNKNOWN_TARGET
 */
export async function countParameters(node: ResolvedNode, signal?: AbortSignal): Promise<ParameterCounts> {
  using model = await instantiateFromConfig(node, { init: 'meta', signal });
  const counts: ParameterCounts = { total: 0, trainable: 0, parts: {} };
  for (const { name, parameter, tensor } of await native().state(model.native)) {
    const [part, ...rest] = name.split('.');
    const key = rest.length > 0 || parameter ? part! : 'buffers';
    counts.parts[key] = (counts.parts[key] ?? 0) + sizeOf(tensor);
    counts.total += sizeOf(tensor);
    tensor.dispose();
  }
  for (const { tensor } of await native().namedParameters(model.native)) {
    if (tensor.requiresGrad) counts.trainable += sizeOf(tensor);
    tensor.dispose();
  }
  return counts;
}

const sizeOf = ({ shape }: NativeTensor) => shape.reduce((product, length) => product * length, 1);

function* targetsIn(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value !== 'object' || value === null) return;
  const { target } = value as { target?: unknown };
  if (typeof target === 'string') yield [path, target];
  for (const [key, child] of Object.entries(value)) yield* targetsIn(child, `${path}.${key}`);
}
