/** What a config describes: its targets, checked and with every default filled in. */
import { loadConfig, type ResolvedNode, type ResolvedProject, resolveProject } from '../config';
import { instantiateFromConfig } from '../models';
import { native } from '../native';

export interface ConfigSummary {
  kind: 'config';
  file: string;
  model: ResolvedNode;
  baseLearningRate: number | null;
  data: ResolvedNode | null;
  /** Every target within the model, by key path. */
  targets: Record<string, string>;
  lightning: Omit<ResolvedProject['lightning'], 'callbacks'> & { callbacks: Record<string, ResolvedNode> };
  /** Parameters of the model (with its moving average) by part and in total; only when it was built. */
  parameters?: Record<string, number>;
}

/**
 * Checks a config and tells what it describes.
 * @param options.overrides `a.b.c=value`
 * @param options.build also build the model, without weights, and count its parameters
 * @throws LdmError ERR_CONFIG with every mistake
 */
export async function inspectConfig(
  file: string,
  options: { overrides?: readonly string[]; build?: boolean; signal?: AbortSignal } = {},
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
  if (options.build) summary.parameters = await countParameters(model, options.signal);
  return summary;
}

/** Memory is reserved but not filled: even a large model costs little. */
async function countParameters(node: ResolvedNode, signal?: AbortSignal): Promise<Record<string, number>> {
  const params = { ...node.params, ckpt_path: null };
  using model = await instantiateFromConfig({ ...node, params }, { init: 'empty', signal });
  const counts: Record<string, number> = {};
  let total = 0;
  for (const { name, parameter, tensor } of await native().state(model.native)) {
    // The moving average is kept in buffers, but it is a second set of weights.
    const counted = parameter || name.startsWith('model_ema.');
    const size = counted ? tensor.shape.reduce((product, length) => product * length, 1) : 0;
    tensor.dispose();
    if (size === 0) continue;
    const part = name.split('.')[0]!;
    counts[part] = (counts[part] ?? 0) + size;
    total += size;
  }
  return { ...counts, total };
}

function* targetsIn(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value !== 'object' || value === null) return;
  const { target } = value as { target?: unknown };
  if (typeof target === 'string') yield [path, target];
  for (const [key, child] of Object.entries(value)) yield* targetsIn(child, `${path}.${key}`);
}
