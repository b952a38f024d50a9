/** What a checkpoint or safetensors file holds, without loading it: names, dtypes, shapes; on request sums and first values. */
import fs from 'node:fs';
import { type Checkpoint, type CheckpointDType, readCheckpoint } from '../checkpoint';
import { type LatentStatistics, readLatentStatistics } from '../evaluation/latent-sidecar';
import { statisticsOf, type TensorStats } from './statistics';

export interface TensorSummary extends TensorStats {
  dtype: CheckpointDType;
  shape: readonly number[];
}

export interface CheckpointSummary {
  kind: 'checkpoint';
  file: string;
  format: Checkpoint['format'];
  /** Size of the file. */
  bytes: number;
  /** Where the tensors lie in it: 'state_dict', 'model', ... or '' for the top level. */
  where: string;
  /** All elements of all tensors, and their bytes. */
  elements: number;
  tensorBytes: number;
  /** Number of tensors by dtype. */
  dtypes: Record<string, number>;
  /** Whether there is an exponential moving average of the weights. */
  ema: boolean;
  epoch: number | null;
  globalStep: number | null;
  lightningVersion: string | null;
  optimizers: number;
  lrSchedulers: number;
  /** Classes in the file that are not known; nothing of them was executed. */
  skippedClasses: readonly string[];
  /** Other entries at the top level. */
  otherKeys: string[];
  /** safetensors' metadata. */
  metadata: Record<string, string>;
  /** What `ldm stats` measured of its latents; null where it did not, or the file has changed since. */
  latents: LatentStatistics | null;
  tensors: Record<string, TensorSummary>;
}

/**
 * Looks into a checkpoint.
 * @param options.stats also read the data and sum it up; this takes as long as reading the file
 * @param options.onProgress called for each tensor that has been summed up
 * @throws LdmError ERR_FILE or ERR_CHECKPOINT
 */
export async function inspectCheckpoint(
  file: string,
  options: { stats?: boolean; signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<CheckpointSummary> {
  using checkpoint = await readCheckpoint(file);
  const tensors: Record<string, TensorSummary> = {};
  const dtypes: Record<string, number> = {};
  let elements = 0;
  let tensorBytes = 0;
  for (const [name, tensor] of checkpoint.tensors) {
    options.signal?.throwIfAborted();
    const summary: TensorSummary = { dtype: tensor.dtype, shape: tensor.shape };
    tensors[name] = options.stats ? { ...summary, ...(await statisticsOf(tensor)) } : summary;
    dtypes[tensor.dtype] = (dtypes[tensor.dtype] ?? 0) + 1;
    elements += tensor.shape.reduce((product, size) => product * size, 1);
    tensorBytes += tensor.bytes;
    if (options.stats) options.onProgress?.(Object.keys(tensors).length, checkpoint.tensors.size);
  }
  const measured = readLatentStatistics(file);
  const state = ['optimizer_states', 'lr_schedulers', 'epoch', 'global_step', 'pytorch-lightning_version'];
  return {
    kind: 'checkpoint',
    file,
    format: checkpoint.format,
    bytes: (await fs.promises.stat(file)).size,
    where: checkpoint.where,
    elements,
    tensorBytes,
    dtypes,
    ema: checkpoint.hasEma,
    epoch: checkpoint.epoch,
    globalStep: checkpoint.globalStep,
    lightningVersion: checkpoint.lightningVersion,
    optimizers: checkpoint.optimizerStates.length,
    lrSchedulers: checkpoint.lrSchedulers.length,
    skippedClasses: checkpoint.skippedClasses,
    otherKeys: [...checkpoint.extra.keys()].filter((key) => !state.includes(key)),
    metadata: Object.fromEntries(checkpoint.metadata),
    latents: measured && !measured.stale ? measured.statistics : null,
    tensors,
  };
}
