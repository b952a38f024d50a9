/** Samples become a batch, by the rules of torch's default_collate and taming's custom_collate. */
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import type { ArrayValue, Sample } from './dataset';

/** A batch under the reference's key names. */
export interface ImageBatch {
  /** [batch, height, width, 3] in [-1, 1], float32. */
  image: Tensor;
  /** [batch], int64. */
  class_label?: Tensor;
  human_label?: string[];
  caption?: string[];
  file_path_?: string[];
  /** Whatever else the data set gives: a tensor of stacked arrays or integers, or a list. */
  [key: string]: Tensor | readonly unknown[] | undefined;
}

/**
 * Stacks samples into a batch. Keys that not all samples have are left out.
 * @throws LdmError ERR_DATA when arrays of one key differ in shape
 */
export function collate(samples: readonly Sample[]): ImageBatch {
  const keys = Object.keys(samples[0]).filter((key) => samples.every((s) => s[key] !== undefined));
  const entries = keys.map((key) => [key, column(key, samples)] as const);
  return Object.fromEntries(entries) as unknown as ImageBatch;
}

/** Frees the tensors of a batch. */
export function disposeBatch(batch: ImageBatch): void {
  for (const value of Object.values(batch)) if (value instanceof Tensor) value.dispose();
}

/**
 * Calls `use` with a batch whose tensors are on `device`: copies, which are freed afterwards, or the batch itself where it is the CPU.
 */
export async function withBatchOn<T>(
  batch: ImageBatch,
  device: string,
  use: (batch: Record<string, unknown>) => Promise<T>,
): Promise<T> {
  if (device === 'cpu') return use(batch);
  const moved = Object.fromEntries(
    Object.entries(batch).map(([key, value]) => [key, value instanceof Tensor ? value.to({ device }) : value]),
  );
  try {
    return await use(moved);
  } finally {
    disposeBatch(moved as ImageBatch);
  }
}

function column(key: string, samples: readonly Sample[]): Tensor | unknown[] {
  const values = samples.map((s) => s[key]);
  if (values.every(isArray)) return stack(key, values, samples);
  if (values.every((v): v is number => Number.isSafeInteger(v)))
    return Tensor.from(BigInt64Array.from(values, (v) => BigInt(v)));
  if (values.every((v): v is number => typeof v === 'number')) return Tensor.from(Float64Array.from(values));
  return values;
}

function stack(key: string, values: readonly ArrayValue[], samples: readonly Sample[]): Tensor {
  const [{ data, shape, oneHot }] = values;
  const odd = values.findIndex((v) => v.shape.length !== shape.length || v.shape.some((n, i) => n !== shape[i]));
  if (odd >= 0)
    throw new LdmError(
      'ERR_DATA',
      `Entries '${key}' of one batch must have one size: ${named(samples[0])} has ${shape.join('x')}, ${named(samples[odd])} has ${values[odd].shape.join('x')}. Give the data set a size, or use batches of 1.`,
    );
  const all = new (data.constructor as new (length: number) => typeof data)(data.length * values.length);
  values.forEach((v, i) => {
    (all as Uint8Array).set(v.data as Uint8Array, i * data.length);
  });
  const stacked = Tensor.from(all, [values.length, ...shape]);
  return oneHot === undefined ? stacked : expandLabels(stacked, oneHot);
}

/** [...] labels to [..., classes] float32. */
function expandLabels(labels: Tensor, classes: number): Tensor {
  using _ = labels;
  using numbers = Tensor.arange(classes).to({ dtype: 'uint8' });
  using wide = labels.unsqueeze(-1);
  using equal = wide.eq(numbers);
  return equal.to({ dtype: 'float32' });
}

function isArray(value: unknown): value is ArrayValue {
  return typeof value === 'object' && value !== null && ArrayBuffer.isView((value as Partial<ArrayValue>).data);
}

function named(sample: Sample): string {
  const name = ['file_path_', 'file_name', 'image_path', 'img_path'].map((key) => sample[key]).find(Boolean);
  return typeof name === 'string' ? name : 'an image';
}
