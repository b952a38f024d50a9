/** What is in a checkpoint file, for people and for `ldm inspect`. */
import type { Tensor } from '../tensor';
import { readCheckpoint } from './read';
import { type Checkpoint, type CheckpointDType, type CheckpointFormat, type FileTensor, Skipped } from './types';

/** A tensor of a file. The figures are there when `stats` was asked for. */
export interface TensorSummary {
  name: string;
  dtype: CheckpointDType;
  shape: readonly number[];
  bytes: number;
  /** Sum of the elements, exact for integers; of a complex tensor [real, imaginary]. Absent for empty tensors. */
  sum?: number | bigint | [number, number];
  /** Sum of the magnitudes (real floating point only). */
  l1?: number;
  /** The first elements, at most 5, in row-major order. */
  first?: (number | bigint | boolean | [number, number])[];
}

/** A group of tensors by the first part of their names (`first_stage_model`, `model_ema`, ...). */
export interface GroupSummary {
  name: string;
  tensors: number;
  /** Elements, buffers included. */
  values: number;
  bytes: number;
}

export interface CheckpointSummary {
  path: string;
  format: CheckpointFormat;
  /** Where the tensors lie in the file: 'state_dict', '' for the top level, ... */
  where: string;
  /** What the names of the tensors look like, or null. */
  model: string | null;
  values: number;
  bytes: number;
  /** Tensors by dtype. */
  dtypes: Partial<Record<CheckpointDType, number>>;
  groups: GroupSummary[];
  hasEma: boolean;
  globalStep: number | null;
  epoch: number | null;
  lightningVersion: string | null;
  optimizers: number;
  /** Other entries at the top level. */
  otherKeys: string[];
  /** Classes of the pickle that are not known and were skipped; nothing of them was executed. */
  skippedClasses: readonly string[];
  metadata: Record<string, string>;
  tensors: TensorSummary[];
}

/**
 * Describes a checkpoint file.
 * @param options.stats also read the data and give sums and first values of each tensor; default false
 * @throws LdmError ERR_FILE, ERR_CHECKPOINT
 */
export async function inspectCheckpoint(path: string, options: { stats?: boolean } = {}): Promise<CheckpointSummary> {
  using checkpoint = await readCheckpoint(path);
  const tensors: TensorSummary[] = [];
  for (const [name, t] of checkpoint.tensors) {
    const summary = { name, dtype: t.dtype, shape: t.shape, bytes: t.bytes };
    tensors.push(options.stats ? { ...summary, ...(await statistics(t)) } : summary);
  }
  return { ...describe(checkpoint), tensors };
}

function describe(checkpoint: Checkpoint): Omit<CheckpointSummary, 'tensors'> {
  const dtypes: CheckpointSummary['dtypes'] = {};
  const groups = new Map<string, GroupSummary>();
  for (const [name, t] of checkpoint.tensors) {
    dtypes[t.dtype] = (dtypes[t.dtype] ?? 0) + 1;
    const top = name.split('.')[0];
    const group = groups.get(top) ?? { name: top, tensors: 0, values: 0, bytes: 0 };
    group.tensors++;
    group.values += elements(t);
    group.bytes += t.bytes;
    groups.set(top, group);
  }
  const all = [...groups.values()];
  return {
    path: checkpoint.path,
    format: checkpoint.format,
    where: checkpoint.where,
    model: guessModel(checkpoint.tensors),
    values: all.reduce((sum, g) => sum + g.values, 0),
    bytes: all.reduce((sum, g) => sum + g.bytes, 0),
    dtypes,
    groups: all,
    hasEma: checkpoint.hasEma,
    globalStep: checkpoint.globalStep,
    epoch: checkpoint.epoch,
    lightningVersion: checkpoint.lightningVersion,
    optimizers: countOptimizers(checkpoint),
    otherKeys: [...checkpoint.extra.keys()],
    skippedClasses: checkpoint.skippedClasses,
    metadata: Object.fromEntries(checkpoint.metadata),
  };
}

function countOptimizers(checkpoint: Checkpoint): number {
  const states = checkpoint.extra.get('optimizer_states');
  return Array.isArray(states) ? states.filter((s) => !(s instanceof Skipped)).length : 0;
}

/** The family of models that these names belong to. */
function guessModel(tensors: ReadonlyMap<string, FileTensor>): string | null {
  const has = (name: string) => tensors.has(name);
  const any = (prefix: string) => [...tensors.keys()].some((name) => name.startsWith(prefix));
  if (any('model.diffusion_model.')) {
    if (!has('betas') && !any('first_stage_model.')) return 'diffusion network';
    const first = any('first_stage_model.quantize.') ? 'VQ' : any('first_stage_model.post_quant_conv.') ? 'KL' : null;
    const stage = first ? ` with a ${first} first stage` : '';
    return any('first_stage_model.') ? `LatentDiffusion${stage}` : 'DDPM';
  }
  if (any('quantize.') && any('encoder.')) return 'VQModel';
  if (any('encoder.conv_in.') && any('decoder.conv_in.')) return 'AutoencoderKL';
  if (any('input_blocks.') && any('output_blocks.')) return 'UNetModel';
  if (has('lin0.model.1.weight')) return 'LPIPS heads';
  if (has('features.0.weight') && has('features.28.weight')) return 'VGG16';
  return null;
}

const elements = (t: FileTensor): number => t.shape.reduce((a, b) => a * b, 1);

/** Elements that are cast at a time; bounds the memory that statistics need. */
const PIECE = 1 << 22;
const FIRST = 5;

async function statistics(t: FileTensor): Promise<Partial<TensorSummary>> {
  if (elements(t) === 0) return { first: [] };
  const tensor = t.tensor();
  if (t.dtype === 'complex64') return complexStatistics(tensor);
  return t.dtype.includes('float') ? floatStatistics(tensor) : integerStatistics(tensor, t.dtype === 'bool');
}

async function floatStatistics(tensor: Tensor): Promise<Partial<TensorSummary>> {
  let sum = 0;
  let l1 = 0;
  for (const piece of pieces(tensor, 'float64')) {
    using part = piece;
    using total = part.sum();
    using magnitude = part.abs();
    using l1Total = magnitude.sum();
    sum += await total.item();
    l1 += await l1Total.item();
  }
  return { sum, l1, first: [...(await firstValues(tensor, 'float64', FIRST))].map(Number) };
}

/** Integers are added as 64-bit ones, so that no sum is rounded. */
async function integerStatistics(tensor: Tensor, bool: boolean): Promise<Partial<TensorSummary>> {
  let sum = 0n;
  for (const piece of pieces(tensor, 'int64')) {
    using part = piece;
    using total = part.sum();
    sum += ((await total.data()) as BigInt64Array)[0];
  }
  const first = [...(await firstValues(tensor, 'int64', FIRST))].map((v) => (bool ? v !== 0n : exact(BigInt(v))));
  return { sum: exact(sum), first };
}

async function complexStatistics(pairs: Tensor): Promise<Partial<TensorSummary>> {
  const sum: [number, number] = [0, 0];
  for (const piece of pieces(pairs, 'float64')) {
    using part = piece;
    using rows = part.reshape(-1, 2);
    using total = rows.sum(0);
    const [real, imaginary] = (await total.data()) as Float64Array;
    sum[0] += real;
    sum[1] += imaginary;
  }
  const flat = [...(await firstValues(pairs, 'float64', 2 * FIRST))].map(Number);
  const first = Array.from({ length: flat.length / 2 }, (_, i): [number, number] => [flat[2 * i], flat[2 * i + 1]]);
  return { sum, first };
}

/** A number where it is exact, else a bigint. */
function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** The first elements in row-major order. */
async function firstValues(
  tensor: Tensor,
  dtype: 'float64' | 'int64',
  count: number,
): Promise<Float64Array | BigInt64Array> {
  const [head] = pieces(tensor, dtype);
  using part = head;
  using flat = part.reshape(-1);
  using first = flat.slice(0, 0, Math.min(count, part.numel));
  return (await first.data()) as Float64Array | BigInt64Array;
}

/** The tensor in casts of a bounded number of elements, some rows at a time. The caller disposes of them. */
function* pieces(tensor: Tensor, dtype: 'float64' | 'int64'): Generator<Tensor, void, undefined> {
  const rows = tensor.dim ? tensor.shape[0] : 1;
  const step = Math.max(1, Math.floor(PIECE / (tensor.numel / rows)));
  for (let row = 0; row < rows; row += step) {
    if (tensor.dim === 0) {
      yield tensor.to({ dtype });
      continue;
    }
    using part = tensor.slice(0, row, Math.min(row + step, rows));
    yield part.to({ dtype });
  }
}
